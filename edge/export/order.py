"""What somebody wants exported to a drive, and what `edge export` is told of it."""

from typing import Any

from edge.drives import Drive
from edge.errors import ControlError, InputError
from edge.export import TABLES, WRITERS
from edge.export.span import EXACT, EXAMPLE, RELATIVE
from edge.stamps import parse_stamp


def checked(request: dict[str, Any]) -> dict[str, Any]:
    """
    Return the order in *request*.

    :raises ControlError: if it asks for something that there is not
    """
    formats = [str(name) for name in request.get("formats") or ["csv"]]
    tables = [str(name) for name in request.get("tables") or TABLES]
    for name in formats:
        if name not in WRITERS:
            raise ControlError(f"no format {name!r}; there are {', '.join(WRITERS)}")
    for name in tables:
        if name not in TABLES:
            raise ControlError(f"no table {name!r}; there are {', '.join(TABLES)}")
    first, until = (str(request.get(name) or "") for name in ("from", "to"))
    since_last = request.get("since_last") is True
    check_stretch(first, until, since_last)
    return {
        "by": str(request["by"])[:64],
        "drive": str(request.get("drive") or ""),
        "from": first,
        "to": until,
        "since_last": since_last,
        "formats": formats,
        "tables": tables,
        "deidentify": request.get("deidentify") is True,
        "shift_days": float(request.get("shift_days") or 0),
    }


def check_stretch(first: str, until: str, since_last: bool) -> None:
    """
    Accept what `edge export` can follow: an order waits for its drive, and who gave it
    has left by then.

    :raises ControlError: otherwise
    """
    if since_last and (first or until):
        raise ControlError(
            "what is new to a drive begins where its last export ended: leave --from "
            "and --to out"
        )
    for text in (first, until):
        if text and not EXACT.fullmatch(text) and not RELATIVE.fullmatch(text):
            try:
                parse_stamp(text)
            except InputError as error:
                raise ControlError(f"{error}; write {EXAMPLE}") from error


def what(order: dict[str, Any]) -> dict[str, Any]:
    """Return what of *order* has to be the same for one try to go on with another."""
    return {name: order[name] for name in order if name not in ("by", "drive", "label")}


def options(order: dict[str, Any], drive: Drive, span: list[str] | None) -> list[str]:
    """Return the options of `edge export` for *order*, of *span* if it is known."""
    if span:
        when = [f"--from=box:{span[0]}", f"--to=box:{span[1]}"]
    else:
        when = [f"--from={order['from']}", f"--to={order['to']}"]
        when += ["--since-last"] if order["since_last"] else []
    which = [f"--formats={','.join(order['formats'])}"]
    which += [f"--tables={','.join(order['tables'])}"]
    if order["deidentify"]:
        which += ["--deidentify", f"--shift-days={order['shift_days']}"]
    return ["--json", f"--drive={drive.name}", *when, *which]
