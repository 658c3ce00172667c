#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Holds allocators/nt/README.md to the code: what its tables name must be there, and what is public
must be in its tables. Usage: tests/lint/nt_table.py [ROOT]. Prints each breach as FILE:LINE: what; exit 1
if there is any.

First table, a row a name of NT: | `names` | class | `headers` | functions | tests |
    each name is in one of the headers, each header has one of the names; a name that is a function is
    defined in a file of the fourth cell: `file` alone holds what has the NT name, `f`, `g` (`file`)
    holds f and g
Both tables, last cell: `test_file.c`: "test", "test"; `test_file.c`: "test"
    each test is in the array of tests of tests/nt/test_file.c, as a sentence or by its function;
    in the first table each name of the row is in the code of one of these files
Every function, and every macro with arguments, of poolbench/nt/*.h without a prefix Pb is in the first
table. Every section and row of the second table's key (ROWS) has a line there."""
import functools
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]
ALLOCATORS = ROOT / "allocators"
HEADERS = ALLOCATORS / "poolbench" / "nt"
README = ALLOCATORS / "nt" / "README.md"
ROWS = {f"A{n}" for n in range(1, 18)} | {f"C{n}" for n in range(1, 8)} | set("BDEFGH")
OURS = re.compile(r"^(pb|PB)_|^Pb[A-Z]")
WORD = r"[A-Za-z_]\w*"

breaches = []


def breach(line, what):
    breaches.append(f"{README.relative_to(ROOT)}:{line}: {what}")


@functools.cache
def read(path):
    """A file without comments, its continued lines joined, or None."""
    try:
        text = path.read_text()
    except OSError:
        return None
    text = text.replace("\\\n", " ")
    return re.sub(r'("(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\')|/\*.*?\*/|//[^\n]*',
                  lambda m: m.group(1) or " " + "\n" * m.group(0).count("\n"), text, flags=re.S)


def tokens(text, at):
    """The brackets and semicolons of a text from `at` on, but for those in strings."""
    for found in re.finditer(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])+\'|([(){};])', text[at:]):
        if found.group(1):
            yield found.group(1), at + found.start()


def closing(text, at):
    """The index behind the bracket that closes the one at `at`."""
    depth = 0
    for token, i in tokens(text, at):
        depth += (token in "({") - (token in ")}")
        if depth == 0:
            return i + 1
    return len(text)


def statements(text):
    """What stands at file scope, one by one: text, and whether a function's body ends it."""
    text = re.sub(r"^[ \t]*#[^\n]*", "", text, flags=re.M)
    start = end = 0
    for token, i in tokens(text, 0):
        if i < end:
            continue
        if token == ";":
            yield text[start:i], False
            start = end = i + 1
            continue
        end = closing(text, i)
        if token == "{" and text[start:i].rstrip().endswith(")"):
            yield text[start:i], True
            start = end


@functools.cache
def functions(text, defined):
    """Names of the functions that a file declares, or of those alone that it defines."""
    names = set()
    for statement, body in statements(text):
        statement = re.sub(r"__attribute__\s*\(\(.*?\)\)", " ", statement, flags=re.S).strip()
        if defined and not body or re.match(r"typedef\b|_Static_assert\b|extern\b.*=", statement):
            continue
        found = re.match(rf"[\w\s*]*?\b({WORD})\s*\(", statement)
        if found and found.group(1) not in ("_Static_assert", "__asm__"):
            names.add(found.group(1))
    return names


def macros(text, arguments):
    """Names of the macros that a file defines, or of those alone that take arguments."""
    return set(re.findall(rf"^[ \t]*#[ \t]*define[ \t]+({WORD})" + (r"\(" if arguments else r"\b"),
                          text, flags=re.M))


def objects(text):
    """Names of the variables that a file defines with a value."""
    return set(re.findall(rf"^[\w \t*]*?\b({WORD})(?:\[[^\]]*\])*[ \t]*=", text, flags=re.M))


def tests_of(text):
    """What the array of tests of a test program names: sentences and functions."""
    body = " ".join(text[array.end():closing(text, array.end() - 1)]
                    for array in re.finditer(r"CMUnitTest\s+\w+\[\]\s*=\s*\{", text))
    sentences = {"".join(re.findall(r'"((?:\\.|[^"\\])*)"', run))
                 for run in re.findall(r'(?:"(?:\\.|[^"\\])*"\s*)+', body)}
    return sentences | set(re.findall(WORD, re.sub(r'"(?:\\.|[^"\\])*"', "", body)))


def table(text, heading):
    """Rows of the table whose first line begins so: (line, cells)."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("|") and line.startswith(heading):
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not re.match(r"\|[-:| ]+$", line):
            yield number, [cell.strip() for cell in line.strip().strip("|").split("|")]


def quoted(cell):
    return re.findall(r"`([^`]+)`", cell)


def code_of(name):
    """A test program without its comments and strings."""
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', read(ROOT / "tests" / "nt" / name) or "")


def check_tests(line, cell, names=()):
    """The last cell of a row of either table; the files that it cites use each of the names."""
    groups = re.findall(r'`([^`]+)`:((?:\s*"[^"]*",?)+)', cell)
    if not groups:
        breach(line, "no test is named")
    if re.sub(r'`[^`]+`:(?:\s*"[^"]*",?)+;?', "", cell).strip():
        breach(line, f"not tests: {cell}")
    for name, sentences in groups:
        text = read(ROOT / "tests" / "nt" / name)
        if text is None or not re.fullmatch(r"test_\w+\.c", name):
            breach(line, f"there is no tests/nt/{name}")
            continue
        there = tests_of(text)
        for sentence in re.findall(r'"([^"]*)"', sentences):
            if sentence not in there:
                breach(line, f'tests/nt/{name} has no test "{sentence}"')
    code = " ".join(code_of(name) for name, sentences in groups)
    for name in names:
        if not re.search(rf"\b{re.escape(name)}\b", code):
            breach(line, f"no file of its tests uses {name}")


def defined_in(name, file):
    text = read(ALLOCATORS / file)
    return text is not None and (name in functions(text, True) or name in macros(text, False) or
                                 name in objects(text))


def files_of(line, cell):
    """The fourth cell: files that hold NT names, and functions of ours with their files."""
    alone, named, waiting = [], [], []
    for item in re.findall(r"`[^`]+`|;", cell):
        item = item.strip("`")
        if item == ";":
            waiting = []
        elif not re.search(r"\.[ch]$", item):
            waiting.append(item)
        else:
            if not (ALLOCATORS / item).is_file():
                breach(line, f"there is no allocators/{item}")
            elif waiting:
                named += [(name, item) for name in waiting]
            else:
                alone.append(item)
            waiting = []
    for name in waiting:
        breach(line, f"{name} has no file")
    return alone, named


def check_row(line, cells, public):
    """A row of the first table. Returns the names that it has."""
    if len(cells) != 5:
        breach(line, f"{len(cells)} cells instead of 5")
        return []
    names, headers = quoted(cells[0]), quoted(cells[2])
    alone, named = files_of(line, cells[3])
    if not alone and not named:
        breach(line, "no file")
    for header in headers:
        text = public.get(header)
        if text is None:
            breach(line, f"there is no poolbench/nt/{header}")
        elif not any(re.search(rf"\b{name}\b", text) for name in names):
            breach(line, f"{header} has none of the names")
    texts = [public[header] for header in headers if header in public]
    for name in names:
        if not any(re.search(rf"\b{name}\b", text) for text in texts):
            breach(line, f"{name} is not in {' or '.join(headers) or 'any header'}")
        calls = any(name in functions(text, False) | macros(text, True) for text in texts)
        if calls and name not in [ours for ours, file in named] and \
                not any(defined_in(name, file) for file in alone):
            breach(line, f"{name} is not defined in {' or '.join(alone) or 'any file'}")
    for name, file in named:
        if not defined_in(name, file):
            breach(line, f"{name} is not defined in {file}")
    check_tests(line, cells[4], names)
    return names


def main():
    text = README.read_text()
    public = {path.name: read(path) for path in sorted(HEADERS.glob("*.h"))}
    names, rows = set(), set()
    for line, cells in table(text, "| NT name |"):
        names.update(check_row(line, cells, public))
    for line, cells in table(text, "| row |"):
        rows.update(re.findall(r"[A-H]\d*", cells[0])[:1])
        check_tests(line, cells[-1])
    for missing in sorted(ROWS - rows):
        breach(1, f"row {missing} is not in the table of rows")
    for header, declared in public.items():
        for name in sorted(functions(declared, False) | macros(declared, True)):
            if not OURS.match(name) and name not in names:
                breach(1, f"{name} of {header} is not in the table of names")
    print("\n".join(breaches), end="\n" if breaches else "")
    return 1 if breaches else 0


sys.exit(main())
