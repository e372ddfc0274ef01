import pytest

from ictrack.structures.hidden_files import is_hidden


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        ("000.jpg", False),
        ("a.b/c.json", False),
        ("./results.json", False),
        ("../x.json", False),
        ("._000.jpg", True),
        ("__MACOSX/000.jpg", True),
        ("x\\__macosx\\000.jpg", True),
        (".git/config", True),
        ("clips/THUMBS.DB", True),
        ("Desktop.ini", True),
        ("clips/@eaDir/000.jpg", True),
    ],
)
def test_what_operating_systems_add(path, hidden):
    assert is_hidden(path) is hidden
