"""An Edge TPU on the USB bus, and the library that drives it."""

from pathlib import Path

import pytest

from edge import edgetpu


@pytest.mark.parametrize(
    ("vendor", "product", "found"),
    [("1a6e", "089a", True), ("18d1", "9302", True), ("18d1", "4ee1", False)],
)
def test_coral_is_known_by_both_its_names(
    tmp_path: Path, vendor: str, product: str, found: bool
) -> None:
    hub, device = tmp_path / "usb1", tmp_path / "1-1"
    hub.mkdir()
    device.mkdir()
    (device / "idVendor").write_text(vendor + "\n")
    (device / "idProduct").write_text(product + "\n")
    assert edgetpu.present(tmp_path) == found


@pytest.mark.parametrize(
    ("version", "fits"),
    [
        ("16.0", False),
        ("16.0tf2.19.1-1", True),  # as in debian/changelog of feranick/libedgetpu
        ("16.0tf2.17.1-1.bookworm", True),  # as in the name of its .deb
        ("16.0TF2.17.1-1", True),
        ("", True),
    ],
)
def test_library_that_crashes_the_runtime_is_refused(
    tmp_path: Path, version: str, fits: bool
) -> None:
    status = tmp_path / "status"
    entry = "Package: libedgetpu1-std\nStatus: install ok installed\nVersion: "
    status.write_text("Package: zlib\n\n" + (entry + version if version else ""))
    why = edgetpu.misfit(edgetpu.installed_library(status), "ai-edge-litert")
    assert (why == "") == fits
    assert fits or "16.0TF2.19.1-1" in why
