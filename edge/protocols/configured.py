"""The decoder that the configuration names, with the names it gives the leads."""

from edge import config
from edge.errors import ConfigError
from edge.protocols import Board, Decoder, make_decoder


def decoder_of(ecg: config.Ecg) -> Decoder:
    """
    Return a new decoder for the board that *ecg* names.

    :raises ConfigError: if the board does not know its options or has fewer leads than
        have a name, two have the same, or one is empty or no plain text
    """
    options = {"columns": ecg.columns} if ecg.board == "csv" and ecg.columns else {}
    decoder = make_decoder(ecg.board, **options)
    there = decoder.board.leads
    if len(ecg.leads) > len(there):
        raise ConfigError(
            f"[ecg] leads names {len(ecg.leads)}, but the board {ecg.board} has "
            f"{len(there)}: {', '.join(there)}"
        )
    twice = {name for name in ecg.leads if ecg.leads.count(name) > 1}
    if twice:
        raise ConfigError(f"[ecg] leads names {', '.join(sorted(twice))} twice")
    for name in ecg.leads:
        if not name.strip() or not name.isprintable():
            raise ConfigError(f"[ecg] leads has {name!r}, which no file can name")
    return decoder


def with_leads(board: Board, leads: tuple[str, ...]) -> Board:
    """Return *board* with its first channels called *leads*; as it is if empty."""
    if not leads:
        return board
    count = len(leads)
    return board._replace(
        leads=leads, gain=board.gain[:count], baseline=board.baseline[:count]
    )
