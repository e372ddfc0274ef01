"""Tests of ICTrack; a package, so that processes that tests start find these and not another library's."""
