import pytest
from lib.clips import make_clips
from lib.digits import make_digits
from lib.small import make_small
from torched import Torched


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A data set that nobody changes."""
    return make_small(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def larger(tmp_path_factory):
    """The same, with enough of it to learn what is common."""
    return make_small(tmp_path_factory.mktemp("larger"), n=150, val=30)


@pytest.fixture
def own(tmp_path):
    """One that the test may break."""
    return make_small(tmp_path / "data")


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """Spoken digits; three voices are held out."""
    return make_digits(tmp_path_factory.mktemp("digits"), speeds=[130, 155])


@pytest.fixture(scope="session")
def media(tmp_path_factory):
    """Clips, for a mount of them."""
    return make_clips(tmp_path_factory.mktemp("media") / "clips")


@pytest.fixture(scope="session")
def pytorch():
    with Torched() as torch:
        yield torch
