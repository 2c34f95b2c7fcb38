# faults.py - which small faults can be planted in a C file.
#
# Five kinds: a condition negated, a bound moved by one, a call left out, an assignment dropped, a constant changed. The
# layout is clang-format's, so patterns find them: in function bodies only, with comments, strings and preprocessor lines
# blanked out first. What comes out need not compile.
#
# A fault is known by its file, its function, and its lines before and after: not by numbers of lines, which shift.
# SPDX-License-Identifier: LGPL-2.1-or-later

import re
from dataclasses import dataclass

BLANKED = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|^[ \t]*#(?:\\\n|[^\n])*', re.S | re.M)
# What checks who calls us, or ourselves, or tells only those who debug it: no fault of the program's, if it is lost.
CHECKS = re.compile(r'\bg_(?:assert\w*|return_(?:val_)?if_fail|debug|info) \([^;]*\);')
# clang-format puts the name of a function, and the braces of its body, at the start of a line.
FUNCTION = re.compile(r'^(\w+) \([^;{}\n]*(?:\n +[^;{}\n]*)*\)[ \w]*\n\{\n(.*?)^\}', re.S | re.M)

CONDITION = re.compile(r'\b(?:if|while) (?=\()')
NOT_OR_EQUAL = re.compile(r'!(?=[\w(])|(?<= )[=!]=(?= )')
BOUND = re.compile(r'(?<= )[<>]=?(?= )')
CALL = re.compile(r'[a-z_]\w*(?:(?:->|\.)\w+)* (?=\()')
ASSIGNMENT = re.compile(r'\*?[a-z_]\w*(?:(?:->|\.)\w+|\[[^\]\n]*\])* (?:[-+|&*^]|<<|>>)?= (?=[^;]*;)|'
                        r'(?:\+\+|--)[a-z_][\w.>\[\]-]*(?=;)|[a-z_][\w.>\[\]-]*(?:\+\+|--)(?=;)')
NUMBER = re.compile(r'(?<![\w.])(?:0x[0-9a-f]+|\d+)(?![\w.])')
BOOLEAN = re.compile(r'\b(?:TRUE|FALSE)\b')
# Where a statement can begin, looking back.
BEFORE_STATEMENT = re.compile(r'(?:[;{}:)]|\belse|\bdo)\s*\Z')

NOT_CALLS = re.compile(r'(?:if|for|while|switch|return|sizeof|defined) ')


@dataclass(frozen=True)
class Fault:
    file: str
    function: str
    before: str
    after: str
    kind: str = ''
    line: int = 0
    start: int = 0
    end: int = 0
    text: str = ''  # stands in place of what was from start to end

    @property
    def key(self):
        return self.file, self.function, self.before, self.after

    def plant(self, source):
        return source[:self.start] + self.text + source[self.end:]

    def __str__(self):
        return f'{self.file}  {self.function}  (line {self.line})\n- {self.before}\n+ {self.after}'


def blank(match):
    return re.sub(r'[^\n]', ' ', match.group())


def skip_parentheses(code, at):
    """Returns: where what is opened at at ends."""
    depth = 0
    for i in range(at, len(code)):
        depth += {'(': 1, ')': -1}.get(code[i], 0)
        if depth == 0:
            return i + 1
    return len(code)


def end_of_statement(code, at):
    depth = 0
    for i in range(at, len(code)):
        depth += {'(': 1, '{': 1, ')': -1, '}': -1}.get(code[i], 0)
        if code[i] == ';' and depth == 0:
            return i
    return len(code)


def find_in_function(code, start, end):
    """Yields: kind, start, end, what stands there instead."""
    def each(pattern):
        return pattern.finditer(code, start, end)

    def begins_statement(at):
        return BEFORE_STATEMENT.search(code, max(start - 3, 0), at)

    whole = []  # conditions of one part, which need not be negated twice
    for match in each(CONDITION):
        close = skip_parentheses(code, match.end())
        if not re.search('&&|[|][|]', code[match.end():close]):
            whole.append(range(match.end(), close))
        yield 'condition', match.end(), close, ('(!', ')')
    for match in each(NOT_OR_EQUAL):
        if not any(match.start() in part for part in whole):
            yield 'condition', match.start(), match.end(), {'!': '', '==': '!=', '!=': '=='}[match.group()]
    for match in each(BOUND):
        yield 'bound', match.start(), match.end(), {'<': '<=', '<=': '<', '>': '>=', '>=': '>'}[match.group()]
    for match in each(CALL):
        close = skip_parentheses(code, match.end())
        if code[close:close + 1] == ';' and begins_statement(match.start()) and not NOT_CALLS.match(match.group()):
            yield 'call', match.start(), close, ''
    for match in each(ASSIGNMENT):
        if begins_statement(match.start()):
            yield 'assignment', match.start(), end_of_statement(code, match.start()), ''
    for match in each(NUMBER):
        yield 'constant', match.start(), match.end(), f'({match.group()} + 1)'
    for match in each(BOOLEAN):
        yield 'constant', match.start(), match.end(), {'TRUE': 'FALSE', 'FALSE': 'TRUE'}[match.group()]


def one_line(text):
    return ' '.join(text.split())


def find_faults(file, source):
    """Returns: the faults that can be planted in source, in the order in which they stand there."""
    code = CHECKS.sub(blank, BLANKED.sub(blank, source))
    found = {}
    for function in FUNCTION.finditer(code):
        for kind, start, end, text in find_in_function(code, function.start(2), function.end(2)):
            old = source[start:end]
            new = text[0] + old + text[1] if isinstance(text, tuple) else text
            # As many lines as before, so that no __LINE__ below it changes.
            new += '\n' * (old.count('\n') - new.count('\n'))
            first, last = source.rfind('\n', 0, start) + 1, source.find('\n', end)
            fault = Fault(file, function.group(1), one_line(source[first:last]),
                          one_line(source[first:start] + new + source[end:last]), kind,
                          source.count('\n', 0, start) + 1, start, end, new)
            found.setdefault((start, end, new), fault)
    return [found[at] for at in sorted(found)]


def read_list(path):
    """Returns: the keys of the faults that stand in a list like harmless.txt."""
    keys = []
    where = before = None
    for line in path.read_text().splitlines() if path.exists() else []:
        if line.startswith('- '):
            before = line[2:]
        elif line.startswith('+ '):
            keys.append((*where, before, line[2:]))
        elif line and line[0] not in '# ':
            where = tuple(line.split()[:2])
    return keys
