"""Says in words what analytics and reports found."""

from analytics.finding import Finding
from reports.wording import sentence
from reports.writing import Reader

__all__ = ["Finding", "told"]


def told(finding: Finding, reader: Reader) -> str:
    """Say a finding: its sentence is `finding-` and its code."""
    return sentence(f"finding-{finding.code}", finding.figures, reader)
