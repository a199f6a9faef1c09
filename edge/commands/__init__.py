"""The programs behind the commands of `edge`: one module each."""
