"""Find mistakes before a long run starts: python tools/doctor.py [configs/advent/gta2city.py]

Without a config it checks the environment, in seconds. With a config it also checks the config (all mistakes at once),
its data sets, networks and schedule. Then each training, and each stage of a paper, makes one dry iteration with one
pair and one validation image, and seconds, peak memory, expected hours and disk are shown. Nothing is left in the work
dir. tools/train.py makes the same checks of the config before each run.

Exit status: 0 if there is no error; warnings do not count. 1 if there are errors.
"""

import argparse
import os

from command_line import KeyValues, add_traceback, run_command


def number_or_all(text: str) -> int | None:
    """Return a number of images, or None for 'all'."""
    if text == 'all':
        return None
    if not text.isdigit() or text == '0':
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of at least 1 nor 'all'")
    return int(text)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', nargs='?', help='without a config, only the environment is checked')
    parser.add_argument('--cfg-options', nargs='+', action=KeyValues, metavar='KEY=VALUE', help='as in tools/train.py')
    parser.add_argument('--work-dir', help='folder of the run, of which only the free disk space is read')
    parser.add_argument('--fast', action='store_true', help='read no images, load no weights, make no dry iteration')
    parser.add_argument(
        '--images',
        type=number_or_all,
        default=64,
        metavar='N',
        help='number of images to decode from each data set, or all (default: %(default)s)',
    )
    parser.add_argument('--json', metavar='FILE', help='also write the report to FILE, as JSON')
    return add_traceback(parser).parse_args()


def main() -> None:
    args = parse_args()
    from mmuda.doctor import ERROR, WARNING, Examination, Options
    from mmuda.doctor.rows import count
    from mmuda.files import write_json

    os.environ.setdefault('LOCAL_RANK', '0')
    options = Options(args.images, args.fast, args.work_dir, args.cfg_options)
    examination = Examination(args.config, options)
    try:
        for section in examination.sections():
            print(section.text(), flush=True)
    finally:  # after an interruption the report has the sections that are complete
        if args.json:
            write_json(args.json, examination.content())
    errors, warnings = examination.count(ERROR), examination.count(WARNING)
    print(f'{count(errors, "error")}, {count(warnings, "warning")}')
    if errors:
        raise SystemExit(1)


if __name__ == '__main__':
    run_command(main)
