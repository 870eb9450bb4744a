"""Writes docs/findings.md from the rules themselves: ``python -m tests.docs.findings_page``.

Condition and source come from a rule's docstring; severity, title, evidence and remedy from its ``finding(…)`` call;
values that vary are in capitals.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.actions import journal_findings
from kvtui.model.conf import ProblemKind
from kvtui.rules.triage import runner
from kvtui.rules.triage.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

PAGE = Path(__file__).parents[2] / "docs" / "findings.md"
HEAD = """
Generated from `kvtui/rules/triage` by `python -m tests.docs.findings_page`: do not edit. What differs from case to
case is in capitals; "/" separates alternatives. `kvtui triage` prints findings worst first, `[triage] ignore = ["ID"]`
in the configuration silences one, and an id never changes.
"""
REPOSITORIES = {
    "keepalived": "acassen/keepalived",
    "keepalived-vip": "aledbf/kube-keepalived-vip",
    "contrib": "kubernetes-retired/contrib",
    "kubernetes": "kubernetes/kubernetes",
    "calico": "projectcalico/calico",
    "kubeasz": "easzlab/kubeasz",
}
THREADS = re.compile(r"(?<![\w/])([\w.-]+(?:/[\w.-]+)?)((?:#\d+(?:, )?)+)")
OTHER_SOURCES = re.compile(
    r"RFC \d+(?: [\d.]+\d)?|LVS-HOWTO|ip_vs_\w+\.c|vrrp\w*\.[ch]|moby/libnetwork|kvtui's own reading"
    r"|measured[\w .]*?(?=[);,:]|$)"
)
ID = re.compile(r"[a-z]+(-[a-z0-9]+)+")


class Entry(Struct):
    """One finding of the page."""

    id: str
    severities: list[str]
    title: str
    evidence: list[str]
    remedy: str
    rule: Rule


@cache
def functions(module: ModuleType) -> dict[str, ast.FunctionDef]:
    tree = ast.parse(inspect.getsource(module))
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def reached(module: ModuleType, name: str, seen: tuple[str, ...] = ()) -> Iterator[ast.FunctionDef]:
    """Yields a rule's function and the functions of its module that it calls."""
    known = functions(module)
    yield known[name]
    for node in ast.walk(known[name]):
        called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        if called in known and called not in (*seen, name):
            yield from reached(module, called, (*seen, name))


def entries() -> Iterator[Entry]:
    done: set[str] = set()
    for rule in (*runner.RULES, *journal_rules()):
        find = inspect.unwrap(rule.find)
        module = inspect.getmodule(find)
        assert module is not None
        for function in reached(module, find.__name__):
            for call in calls(function, "Finding", "finding"):
                for entry in of_call(rule, module, function, call):
                    if entry.id not in done:
                        done.add(entry.id)
                        yield entry


def journal_rules() -> Iterator[Rule]:
    """Yields the findings of the action journal in the form of rules."""
    for name, function in functions(journal_findings).items():
        if any(calls(function, "Finding", "finding")):
            yield Rule(getattr(journal_findings, name))


def calls(function: ast.AST, *names: str) -> Iterator[ast.Call]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and {getattr(node.func, "id", ""), getattr(node.func, "attr", "")} & {*names}:
            yield node


def of_call(rule: Rule, module: ModuleType, function: ast.FunctionDef, call: ast.Call) -> Iterator[Entry]:
    words = Words(module, function)
    ident, severity, title, *evidence = call.args
    remedies = [keyword.value for keyword in call.keywords if keyword.arg == "remedy"]
    if not remedies:  # a ``Finding(…)`` has all as positional arguments
        evidence, remedies = evidence[:1], evidence[1:2]
    for name in ids(module, function, ident):
        sentences = words.sentences(ast.Tuple(evidence))
        yield Entry(name, severities(function, severity), words.of(title), sentences, words.of(remedies[0]), rule)


def ids(module: ModuleType, function: ast.FunctionDef, node: ast.expr) -> list[str]:
    if isinstance(node, ast.JoinedStr):
        return [f"config-{kind.value}" for kind in ProblemKind]
    if isinstance(node, ast.Name) and hasattr(module, node.id):
        return [str(getattr(module, node.id))]
    if isinstance(node, ast.Name):  # from a loop over a table
        tables = [n.iter for n in ast.walk(function) if isinstance(n, ast.For) and node.id in ast.unparse(n.target)]
        constants = [n.value for table in tables for n in ast.walk(table) if isinstance(n, ast.Constant)]
        return [text for text in constants if isinstance(text, str) and ID.fullmatch(text)]
    return [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def severities(function: ast.FunctionDef, node: ast.expr) -> list[str]:
    where: Iterable[ast.AST] = [node]
    if isinstance(node, ast.Name):
        where = [n.value for n in ast.walk(function) if isinstance(n, ast.Assign) and names(n) == [node.id]]
    found = (n for w in where for n in ast.walk(w))
    return list(dict.fromkeys(n.attr.lower() for n in found if isinstance(n, ast.Attribute) and n.attr.isupper()))


def names(node: ast.Assign) -> list[str]:
    return [target.id for target in node.targets if isinstance(target, ast.Name)]


class Words:
    """Renders expressions of one function as text; ``module`` has its constants."""

    def __init__(self, module: ModuleType, function: ast.FunctionDef) -> None:
        found = [(names(n), n.value) for n in ast.walk(function) if isinstance(n, ast.Assign)]
        self._texts = {
            n[0]: v for n, v in found if len(n) == 1 and isinstance(v, ast.Constant | ast.JoinedStr | ast.IfExp)
        }
        self._constants = {
            name: text for name, text in vars(module).items() if name.isupper() and isinstance(text, str)
        }

    def of(self, node: ast.expr) -> str:  # noqa: PLR0911 - one for each kind of expression
        match node:
            case ast.Constant(value=value):
                return str(value)
            case ast.JoinedStr(values=parts):
                return "".join(self.of(p.value) if isinstance(p, ast.FormattedValue) else self.of(p) for p in parts)
            case ast.BinOp(left=left, right=ast.Constant(value=int())):
                return placeholder(left)
            case ast.Subscript(value=value, slice=ast.Slice()):
                return ""
            case ast.Call(func=ast.Attribute(value=value, attr="upper" | "lower" | "strip" | "rstrip")):
                return self.of(value)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.of(left) + self.of(right)
            case ast.IfExp(body=body, orelse=orelse):
                both = [text for text in (self.of(body), self.of(orelse)) if text.strip()]
                return " / ".join(dict.fromkeys(both))
            case ast.BoolOp(values=values):
                return " / ".join(dict.fromkeys(text for v in values if (text := self.of(v)).strip()))
            case ast.Name(id=name) if name in self._texts:
                return self.of(self._texts.pop(name))
            case _:
                return self._constants.get(getattr(node, "id", "")) or placeholder(node)

    def sentences(self, node: ast.expr) -> list[str]:
        match node:
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                return [text for part in parts for text in self.sentences(part)]
            case ast.Starred(value=value):
                return self.sentences(value)
            case ast.GeneratorExp(elt=element) | ast.ListComp(elt=element):
                return self.sentences(element)
            case ast.IfExp(body=body, orelse=orelse):
                return [*self.sentences(body), *self.sentences(orelse)]
            case ast.Call(func=ast.Name(id="tuple"), args=[argument]):
                return self.sentences(argument)
            case ast.Call(func=ast.Name(id="describe")):
                return ["SENDER advertises VRID N on INTERFACE with priority N, last heard SECONDS ago (adverts)"]
            case ast.Name() | ast.Attribute() | ast.Call():
                return []
            case _:
                return [self.of(node)]


def placeholder(node: ast.expr) -> str:
    """Returns the last name of an expression in capitals: ``router.instance.name`` is INSTANCE."""
    found = [
        n.attr if isinstance(n, ast.Attribute) else n.id
        for n in ast.walk(node)
        if isinstance(n, ast.Attribute | ast.Name)
    ]
    words = [
        w
        for w in found
        if w
        not in {
            "name",
            "value",
            "listed",
            "shell_word",
            "address_word",
            "plain",
            "plural",
            "round",
            "len",
            "sorted",
            "sum",
            "abs",
            "max",
            "min",
            "str",
            "join",
            "map",
            "tuple",
            "endpoint",
        }
    ]
    text = next((w for w in words if w.islower()), "…").strip("_").upper()
    return text.replace("REAL_NAME", "REAL").replace("_", " ")


def sources(rule: Rule, name_of_finding: str) -> list[str]:
    find = inspect.unwrap(rule.find)
    text = " ".join((inspect.getdoc(find) or "").split())
    found = []
    for name, numbers in THREADS.findall(text):
        repository = REPOSITORIES.get(name, name)
        found += [f"[{name}#{n}](https://github.com/{repository}/issues/{n})" for n in re.findall(r"\d+", numbers)]
    found += [m.strip() for m in OTHER_SOURCES.findall(text)]
    return found or (["shown on a real cluster by tests/lab"] if f'"{name_of_finding}"' in lab_tests() else [])


@cache
def lab_tests() -> str:
    return "".join(
        path.read_text(encoding="utf-8") for path in sorted((PAGE.parents[1] / "tests" / "lab").glob("*.py"))
    )


def condition(rule: Rule) -> str:
    return " ".join((inspect.getdoc(inspect.unwrap(rule.find)) or "").split())


def page() -> str:
    lines = ["# Findings", "", " ".join(HEAD.split()), ""]
    section = ""
    for entry in entries():
        module = inspect.getmodule(inspect.unwrap(entry.rule.find))
        title = (module.__doc__ or "").split("\n", 1)[0].rstrip(".") if module else ""
        if title != section:
            section = title
            lines += [f"## {section}", ""]
        after = f", reported once it has held for {entry.rule.after:g} s" if entry.rule.after else ""
        lines += [
            f"### `{entry.id}`",
            "",
            f"**{' / '.join(entry.severities)}**{after}: {entry.title}",
            "",
            f"- Condition: {condition(entry.rule)}",
            f"- Evidence: {'; '.join(dict.fromkeys(entry.evidence)) or 'what differs, one sentence each'}",
            f"- Remedy: {entry.remedy}",
            f"- Source: {', '.join(sources(entry.rule, entry.id)) or '?'}",
            "",
        ]
    return "\n".join(line if line.startswith("#") else wrapped(line) for line in lines).rstrip() + "\n"


def wrapped(line: str) -> str:
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(line, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
