"""Run a demo: `python -m skdict_sup`, or `python -m skdict_sup image`."""

import sys


def main(arguments):
    """Run the demo of digits, or that of photographs after the word "image"."""
    if arguments[:1] == ["image"]:
        from .demo.image_command import main as restore

        return restore(arguments[1:])
    from .demo.command import main as classify

    return classify(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
