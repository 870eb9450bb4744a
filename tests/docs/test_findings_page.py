"""docs/findings.md matches the rules."""

from __future__ import annotations

from kvtui.rules.triage.runner import RULES
from tests.docs.findings_page import PAGE, entries, page, sources


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.docs.findings_page"


def test_each_finding_has_severity_evidence_remedy_and_source() -> None:
    found = list(entries())
    assert len(found) > 80
    for entry in found:
        assert entry.severities, entry.id
        assert entry.title, entry.id
        assert entry.remedy, entry.id
        assert sources(entry.rule, entry.id) or entry.rule not in RULES, (
            f"{entry.id}: no thread, RFC or measurement in its docstring"
        )
