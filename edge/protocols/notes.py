"""What a board says in words between its packets."""

import re

SENTENCE = re.compile(rb"[A-Za-z][A-Za-z0-9 .,:()/_-]{9,}$")
"""Ten such characters before the end of a line are no accident in noise."""

LONGEST = 80
AT_MOST = 8  # a call; a board that talks without end is not quoted in full


class Words:
    """Finds sentences in the bytes that belong to no packet."""

    def __init__(self) -> None:
        self._kept = b""

    def feed(self, skipped: bytes) -> tuple[str, ...]:
        """Return the sentences that *skipped* completes."""
        if not skipped:
            return ()
        text = (self._kept + skipped).replace(b"$$$", b"\n")  # a Cyton's last word
        *lines, rest = text.split(b"\n")
        self._kept = rest[-LONGEST:]
        found = [
            SENTENCE.search(line[-LONGEST:].rstrip(b"\r"))
            for line in lines
            if line[-10:].isascii()  # spares noise the search
        ]
        sentences = [match[0].decode("ascii") for match in found if match]
        return tuple(sentences[:AT_MOST])

    def restart(self) -> None:
        """Forget the half sentence."""
        self._kept = b""
