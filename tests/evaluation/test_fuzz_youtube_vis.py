import json
import logging
import random

import pytest
from plain_video_ap import plain_video_ap
from vis_case import small_case

from fuzzing.damage import Hang, mutate_bytes, mutate_value, time_limit
from ictrack.evaluation import evaluate_video_ap
from ictrack.evaluation.submission import read_results, validate_youtube_vis
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.youtube_vis_json import read_ground_truth

NUM_MUTANTS = 1000
NUM_BATCHES = 8


def check_scores(ground_truth, results):
    """Both protocols refuse, or score as the plain reference does. Returns how many scored."""
    num_scored = 0
    for protocol in ("official", "strict"):
        try:
            scored = evaluate_video_ap(ground_truth, results, protocol=protocol).summary()
        except AnnotationError as error:
            assert str(error)
            continue
        num_scored += 1
        expected = plain_video_ap(ground_truth, results, strict=protocol == "strict")
        assert scored == pytest.approx(expected, abs=1e-9, nan_ok=True)
    return num_scored


def check_files(folder, truth_bytes, results_bytes):
    """Read and score two files, as a user would: only AnnotationError is raised, and no score changes silently."""
    truth_path, results_path = folder / "gt.json", folder / "results.json"
    truth_path.write_bytes(truth_bytes)
    results_path.write_bytes(results_bytes)
    problems = list(validate_youtube_vis(truth_path, results_path))
    lines = [str(problem) for problem in problems]
    assert all(line.isprintable() and len(line) < 1000 for line in lines)
    has_errors = any(problem.severity == "error" for problem in problems)
    try:
        ground_truth = read_ground_truth(truth_path)
        results = read_results(results_path, ground_truth)
    except AnnotationError as error:
        assert has_errors
        assert "gt.json" in str(error) or "results.json" in str(error)
        return 0
    assert not has_errors
    return check_scores(ground_truth, results)


def test_the_reference_and_the_metric_agree_on_what_is_whole():
    ground_truth, results = small_case()
    assert check_scores(ground_truth, results) == 2
    assert 0.1 < plain_video_ap(ground_truth, results, strict=True)["AP"] < 0.8


@pytest.mark.parametrize("batch", range(NUM_BATCHES))
def test_mutants_are_refused_or_scored_as_they_are(batch, tmp_path):
    logging.disable(logging.CRITICAL)
    rng = random.Random(batch)
    whole = [json.dumps(part).encode() for part in small_case()]
    num_scored = 0
    try:
        for number in range(NUM_MUTANTS // NUM_BATCHES):
            mutate = mutate_bytes if rng.random() < 0.25 else mutate_value
            which = rng.randrange(2)
            mutant = list(whole)
            mutant[which] = mutate(rng, whole[which])
            try:
                with time_limit():
                    is_scored = check_files(tmp_path, *mutant) > 0
                    if which == 1 and mutate is mutate_value and not is_scored:
                        check_unread(*mutant)  # the files' content is what has been scored otherwise
                    num_scored += is_scored
            except (Exception, Hang) as error:
                raise AssertionError(f"mutant {number}: {mutate.__name__}, {mutant[which]!r}") from error
    finally:
        logging.disable(logging.NOTSET)
    assert num_scored > NUM_MUTANTS // NUM_BATCHES // 10


def check_unread(truth_bytes, results_bytes):
    """The metric alone, on results that nobody has checked."""
    results = json.loads(results_bytes)
    if isinstance(results, list):
        ground_truth = json.loads(truth_bytes)
        known = {category["id"] for category in ground_truth["categories"]}
        try:
            evaluate_video_ap(ground_truth, results)
        except AnnotationError:
            return
        check_scores(ground_truth, [result for result in results if result["category_id"] in known])
