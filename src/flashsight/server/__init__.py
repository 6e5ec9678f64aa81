"""HTTP in and out: parses, calls the service, encodes. Knows neither tokens nor tensors."""

from flashsight.server.app import build_app
from flashsight.server.metrics import Metrics
from flashsight.server.patience import PatientProtocol

__all__ = ["Metrics", "PatientProtocol", "build_app"]
