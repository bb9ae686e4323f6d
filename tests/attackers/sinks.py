"""Every place where words leave the house for something that reads commands in them: walks over our own source.

Each finds what is not treated by itself: words that may come from outside and reach SQL, HTML, CSV, a file's name, an
address, a line of the log or Slack in another way than the one there is. `test_sinks` names the few exceptions.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tests.attackers.constants import Function, Scope, Sources, called


@dataclass(frozen=True, slots=True)
class Leak:
    """Words that reach a sink untreated.

    where    `file:function`, or what else stays the same when lines move
    """

    where: str
    line: int
    says: str


_STATEMENTS: Final = frozenset({"text", "SQL", "exec_driver_sql", "literal_column", "TextClause"})
_EXECUTES: Final = frozenset({"execute", "executemany", "scalars", "scalar", "stream"})
_CLIENTS: Final = frozenset(
    {"requests", "httpx", "aiohttp", "urllib3", "urllib.request", "http.client", "smtplib", "ftplib", "socket",
     "paramiko", "slack_sdk", "websockets", "telnetlib", "xmlrpc"}
)  # fmt: skip
_FILES: Final = frozenset(
    {"open", "read_text", "read_bytes", "write_text", "write_bytes", "unlink", "mkdir", "makedirs", "iterdir",
     "scandir", "listdir", "glob", "rglob", "rename", "link", "symlink_to", "chmod", "mkdtemp", "NamedTemporaryFile",
     "TemporaryDirectory", "rmtree", "copyfile", "copytree", "FileResponse", "StaticFiles", "ZipFile"}
)  # fmt: skip
_RUNS: Final = frozenset(
    {
        "eval",
        "exec",
        "system",
        "popen",
        "Popen",
        "check_output",
        "check_call",
        "__import__",
        "import_module",
    }
)
_VERBS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_RUNNERS: Final = frozenset({"pickle", "marshal", "shelve", "yaml", "dill", "subprocess", "pty"})
_CSV: Final = re.compile(r"FORMAT csv|text/csv")
_LEVELS: Final = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
#: Parts of a message that are never logged, whatever the field is called.
_RAW: Final = frozenset({"body", "payload", "content", "headers", "raw", "text", "data", "form"})
_EVENT: Final = re.compile(r"[a-z_]+(\.[a-z_]+)+\Z")


def _where(scope: Scope) -> str:
    named = [each.name for each in scope.functions if isinstance(each, Function)]
    return f"{scope.path}:{named[0]}" if named else scope.path


def _calls(sources: Sources, *, rooms: Collection[str] = ()) -> Iterator[tuple[ast.Call, Scope]]:
    for path in sources.trees:
        if not rooms or path.startswith(tuple(rooms)):
            for node, scope in sources.nodes(path):
                if isinstance(node, ast.Call):
                    yield node, scope


def sql(sources: Sources) -> Iterator[Leak]:
    """Statements that are not made of constants: values travel beside a statement, as parameters."""
    for node, scope in _calls(sources):
        if not node.args:
            continue
        name, statement = called(node), node.args[0]
        made_by = node.func.value if isinstance(node.func, ast.Attribute) else node.func
        if name in ("text", "SQL") and not (
            isinstance(made_by, ast.Name)
            and sources.imports(scope.path, made_by.id, ("sqlalchemy", "psycopg"))
        ):
            continue
        composed = isinstance(statement, ast.JoinedStr | ast.BinOp | ast.Call)
        takes = name in _STATEMENTS or (name in _EXECUTES and composed)
        if takes and not sources.is_constant(statement, scope):
            yield Leak(_where(scope), node.lineno, ast.unparse(statement))


def unproven(sources: Sources) -> Iterator[Leak]:
    """Objects that are trusted to be made of constants (`Sources.made`) and are not."""
    for node, scope in _calls(sources):
        if sources.makes(node, scope.path):
            for part in (*node.args, *node.keywords):
                if not sources.is_constant(part, scope):
                    yield Leak(_where(scope), node.lineno, ast.unparse(part))


def tables(sources: Sources) -> Iterator[Leak]:
    """Writers of CSV."""
    for node, scope in _calls(sources):
        if called(node) in ("DictWriter", "writer"):
            yield Leak(_where(scope), node.lineno, ast.unparse(node))
    for path in sources.trees:
        for said, scope in sources.nodes(path):
            if isinstance(said, ast.Constant) and _CSV.search(str(said.value)):
                yield Leak(_where(scope), said.lineno, str(said.value))


def markup(sources: Sources) -> Iterator[Leak]:
    """HTML that is put together by hand, and templates whose words are not escaped."""
    for node, scope in _calls(sources):
        name = called(node)
        if name in ("Markup", "HTMLResponse"):
            if not (node.args and sources.is_constant(node.args[0], scope)):
                yield Leak(_where(scope), node.lineno, ast.unparse(node))
        elif name == "Environment":
            said = {each.arg: ast.unparse(each.value) for each in node.keywords}
            if said.get("autoescape") != "select_autoescape(default=True)":
                yield Leak(_where(scope), node.lineno, ast.unparse(node))
        elif name in ("Template", "from_string") or (
            name == "select_autoescape" and len(node.keywords) != 1
        ):
            yield Leak(_where(scope), node.lineno, ast.unparse(node))


def redirects(sources: Sources) -> Iterator[Leak]:
    """Answers that send a browser elsewhere."""
    for node, scope in _calls(sources):
        if called(node) == "RedirectResponse" and not sources.is_constant(node.args[0], scope):
            yield Leak(_where(scope), node.lineno, ast.unparse(node.args[0]))


def clients(sources: Sources) -> Iterator[Leak]:
    """Files that can call somebody: all others ask them."""
    for path, tree in sources.trees.items():
        for node, names in _imports(tree):
            parts = {name.rsplit(".", n)[0] for name in names for n in range(name.count(".") + 1)}
            if parts & _CLIENTS:
                yield Leak(path, node.lineno, ast.unparse(node))


def _imports(tree: ast.Module) -> Iterator[tuple[ast.stmt, list[str]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node, [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            yield node, [alias.name for alias in node.names]


def addresses(sources: Sources) -> Iterator[Leak]:
    """Paths of calls with words in them that were not quoted."""
    quoting = sources.taming("quote", "urlencode")
    for node, scope in _calls(quoting, rooms=("channels/", "workers/")):
        verb = node.args[0] if len(node.args) > 1 else None
        calls = isinstance(verb, ast.Constant) and verb.value in _VERBS
        if calls and not quoting.is_constant(node.args[1], scope):
            yield Leak(_where(scope), node.lineno, ast.unparse(node.args[1]))


def files(sources: Sources) -> Iterator[Leak]:
    """What opens, makes, moves or removes files."""
    for node, scope in _calls(sources):
        if called(node) in _FILES:
            yield Leak(_where(scope), node.lineno, ast.unparse(node))


def programs(sources: Sources) -> Iterator[Leak]:
    """What runs words: programs, Python, objects that were pickled."""
    for node, scope in _calls(sources):
        shell = any(each.arg == "shell" for each in node.keywords)
        if (
            called(node) in _RUNS and not all(sources.is_constant(a, scope) for a in node.args)
        ) or shell:
            yield Leak(_where(scope), node.lineno, ast.unparse(node))
    for path, tree in sources.trees.items():
        for each, names in _imports(tree):
            if {name.partition(".")[0] for name in names} & _RUNNERS:
                yield Leak(path, each.lineno, ast.unparse(each))


def logs(sources: Sources, fields: Collection[str]) -> Iterator[Leak]:
    """Lines of the log: a constant name, and fields that are known to hold ids, numbers and words of ours."""
    for node, scope in _calls(sources):
        logger = node.func.value if isinstance(node.func, ast.Attribute) else None
        if (
            called(node) not in _LEVELS
            or not isinstance(logger, ast.Name)
            or "log" not in logger.id
        ):
            continue
        event = node.args[0] if node.args else None
        if (
            not (isinstance(event, ast.Constant) and _EVENT.match(str(event.value)))
            or node.args[1:]
        ):
            yield Leak(_where(scope), node.lineno, ast.unparse(node))
        for each in node.keywords:
            raw = isinstance(each.value, ast.Attribute) and each.value.attr in _RAW
            if each.arg not in fields or raw:
                yield Leak(_where(scope), node.lineno, ast.unparse(each))


def slack(sources: Sources) -> Iterator[Leak]:
    """Words in Slack's own markup that are not escaped."""
    for path, tree in sources.trees.items():
        if not any(
            isinstance(each, ast.Constant) and each.value == "mrkdwn" for each in ast.walk(tree)
        ):
            continue
        for node, scope in sources.nodes(path):
            if isinstance(node, ast.JoinedStr):
                for part in _spliced(node):
                    escaped = isinstance(part, ast.Call) and called(part) in ("escaped", "_fenced")
                    if not escaped and not sources.is_constant(part, scope):
                        yield Leak(_where(scope), node.lineno, ast.unparse(part))


def _spliced(node: ast.AST) -> Iterator[ast.AST]:
    """What is put into a text: pieces of an f-string and of sums of texts, else the whole."""
    match node:
        case ast.JoinedStr(values=values):
            yield from (each.value for each in values if isinstance(each, ast.FormattedValue))
        case ast.BinOp(left=left, right=right):
            yield from _spliced(left)
            yield from _spliced(right)
        case _:
            yield node


_TAG: Final = re.compile(r"<[a-zA-Z][^>{]*(?:\{[{%].*?[%}]\}[^>{]*)*>", re.DOTALL)
_ATTRIBUTE: Final = re.compile(r"""([a-zA-Z_:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_SPLICE: Final = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_LEADS: Final = frozenset({"href", "src", "action", "formaction", "hx-get", "hx-post", "data-url"})
_CODE: Final = re.compile(r"<(script|style)\b[^>]*>(.*?)</\1>", re.DOTALL | re.IGNORECASE)


def templates(texts: Mapping[str, str]) -> Iterator[Leak]:
    """Words in a page that escaping does not cover: in code, in addresses, without quotes, or where it is off."""
    for path, text in texts.items():
        for found in re.finditer(r"\|\s*safe\b|autoescape|\bMarkup\b", text):
            yield _in(path, text, found)
        for found in _CODE.finditer(text):
            if "{{" in found[2]:
                yield _in(path, text, found)
        for tag in _TAG.finditer(text):
            bare = _ATTRIBUTE.sub("", re.sub(r"\{%.*?%\}", "", tag[0], flags=re.DOTALL))
            if "{{" in bare:
                yield _in(path, text, tag)
            for attribute in _ATTRIBUTE.finditer(tag[0]):
                yield from _attribute(path, text, tag.start(), attribute)


def _attribute(path: str, text: str, start: int, found: re.Match[str]) -> Iterator[Leak]:
    name, said = found[1].lower(), found[2] if found[2] is not None else found[3]
    for splice in _SPLICE.finditer(said):
        words = splice[1]
        is_code = name.startswith("on") or name in ("style", "srcdoc")
        if is_code or (name in _LEADS and not _is_address(text, words)):
            yield Leak(path, text.count("\n", 0, start) + 1, f"{name}: {words}")


def _is_address(text: str, words: str) -> bool:
    """Whether words in an address were made for one: by `links`, by quoting, or under a name that says so."""
    if re.match(r"(links\.\w+|static)\(", words) or re.search(r"\|\s*urlencode$", words):
        return True
    named = re.findall(rf"\{{%-?\s*set {re.escape(words)} = (.*?)\s*-?%\}}", text)
    return bool(named) and all(each.startswith("links.") for each in named)


def _in(path: str, text: str, found: re.Match[str]) -> Leak:
    return Leak(path, text.count("\n", 0, found.start()) + 1, found[0])
