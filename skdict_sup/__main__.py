"""Run a demo, `python -m skdict_sup` or `python -m skdict_sup image`, or compile: `warm-up`."""

import sys


def main(arguments):
    """Run the demo of digits, that of photographs after "image", or compile after "warm-up"."""
    if arguments[:1] == ["image"]:
        from .demo.image_command import main as restore

        return restore(arguments[1:])
    if arguments[:1] == ["warm-up"]:
        from .demo.warm_up_command import main as compile_all

        return compile_all(arguments[1:])
    from .demo.command import main as classify

    return classify(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
