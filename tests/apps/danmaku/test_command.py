"""The option of `python -m wslab serve danmaku`."""

from __future__ import annotations

import pytest

from wslab.__main__ import main


@pytest.mark.parametrize("rate", ["-1", "inf", "nan", "many"])
def test_a_rate_that_is_none(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["serve", "danmaku", "--audience", rate])
    assert raised.value.code == 2
    assert f"{rate!r} is not a number from 0 to 100,000" in capsys.readouterr().err
