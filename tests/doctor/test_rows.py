"""Rows and sections of the report."""

from mmuda.checks import Finding
from mmuda.doctor.rows import ERROR, OK, WARNING, Row, Section, count, row_of, size_of, some


def test_a_section_counts_its_verdicts_and_is_plain_values():
    section = Section('data', facts=dict(images=3))
    section.add('first', 'is there')
    section.add('second', 'is gone', ERROR, 'bring it back')
    assert (section.count(OK), section.count(WARNING), section.count(ERROR)) == (1, 0, 1)
    row = dict(item='second', found='is gone', verdict='error', remedy='bring it back')
    assert section.content() == dict(
        name='data',
        rows=[dict(item='first', found='is there', verdict='ok', remedy=''), row],
        facts=dict(images=3),
        tables={},
    )


def test_a_table_is_not_wider_than_the_terminal_and_loses_no_word():
    found, remedy = ' '.join(f'word{n}' for n in range(60)), ' '.join(f'do{n}' for n in range(40))
    section = Section('long', [Row('an item', found, ERROR, remedy), Row('i' * 90, 'x')])
    for width in (100, 160):
        text = section.text(width)
        assert max(map(len, text.splitlines())) <= width
        assert all(word in text for word in f'{found} {remedy} error'.split())


def test_a_further_table_has_its_title():
    section = Section(
        'data', [Row('a', 'b')], tables={'shares of the classes': [['class', 'source'], ['road', '31 %']]}
    )
    assert 'shares of the classes\n+' in section.text() and '| road  | 31 %   |' in section.text()
    assert section.content()['tables'] == section.tables


def test_a_finding_becomes_a_row():
    finding = Finding('train_cfg.max_iters', 'is -1', 'a number', 'set it', WARNING)
    assert row_of(finding) == Row('train_cfg.max_iters', 'is -1, expected a number', WARNING, 'set it')


def test_numbers_in_words():
    assert (count(1, 'image'), count(2975, 'image')) == ('1 image', '2,975 images')
    assert [size_of(size) for size in (12, 1536, 3 * 2**30, 5 * 2**50)] == ['12 B', '1.5 KiB', '3.0 GiB', '5120.0 TiB']
    assert some('abcdefgh', 3) == 'a, b, c and 5 more' and some('ab', 3) == 'a, b'
