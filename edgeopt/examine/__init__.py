"""What there is to know of a model: verified, timed, inspected, blamed. The library functions behind the commands."""
