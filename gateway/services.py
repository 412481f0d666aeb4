"""What routes work with."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from kronk.shared.database import Database
from kronk.shared.model_config import Configs
from kronk.shared.paths import BasePath
from kronk.shared.security.administration import Administration
from kronk.shared.security.counters import Counters
from kronk.shared.settings import Settings

from .access.auditing import AuditLog
from .access.control import AccessControl
from .access.delegation.remote_calls import RemoteCalls
from .access.logins import Logins
from .access.sessions import Sessions
from .batches.files import Files
from .batches.store import Batches
from .benchmarks.runs import Benchmarks
from .configuration import Configuration
from .disk import Disk
from .jobs.store import Jobs
from .library.library import Library
from .link import Link
from .live.hub import Hub
from .middleware import Activity
from .responses.store import ResponseStore
from .telemetry.statistics import StatisticsKeeper
from .telemetry.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Services:
    """One per gateway, kept in the application's state."""

    settings: Settings
    base: BasePath
    configuration: Configuration
    link: Link
    activity: Activity
    telemetry: Telemetry
    statistics: StatisticsKeeper
    disk: Disk
    database: Database
    responses: ResponseStore
    files: Files
    batches: Batches
    jobs: Jobs
    benchmarks: Benchmarks
    access: AccessControl
    sessions: Sessions
    logins: Logins
    audit: AuditLog
    administration: Administration
    remote_calls: RemoteCalls
    counters: Counters
    live: Hub
    library: Library

    @property
    def configs(self) -> Configs:
        """The configuration of models that is in force now."""
        return self.configuration.models


def services_of(request: HTTPConnection) -> Services:
    """The services of the application that serves `request`."""
    services = request.app.state.services
    assert isinstance(services, Services)
    return services
