"""Files that leave the box: one writer a format."""
