"""All addresses of the site.

A page lives in the lowest app that knows all it shows, so the addresses of one namespace may come
from several apps: a project's page shows jobs and results, so its view lives in `review`.
"""

from types import ModuleType

from django.urls import URLPattern, URLResolver, include, path

from annotation_site.accounts import urls as account_urls
from annotation_site.annotation import urls as annotator_urls
from annotation_site.api import urls as api_urls
from annotation_site.exports import urls as export_urls
from annotation_site.jobs import project_urls as registration_urls
from annotation_site.jobs import round_urls
from annotation_site.jobs import urls as job_urls
from annotation_site.live import urls as live_urls
from annotation_site.panels import sitting_urls
from annotation_site.panels import urls as panel_urls
from annotation_site.projects import urls as member_urls
from annotation_site.quality import urls as quality_urls
from annotation_site.rehearsal import urls as rehearsal_urls
from annotation_site.review import project_urls
from annotation_site.review import urls as result_urls
from annotation_site.web import urls as web_urls
from annotation_site.workspace import urls as workspace_urls


def _namespace(name: str, *modules: ModuleType) -> URLResolver:
    """Join the addresses of several modules under one name; the first match wins."""
    patterns: list[URLPattern | URLResolver] = [
        pattern for module in modules for pattern in module.urlpatterns
    ]
    resolver: URLResolver = path("", include((patterns, name)))
    return resolver


urlpatterns: list[URLPattern | URLResolver] = [
    _namespace("projects", registration_urls, member_urls, project_urls),
    _namespace("accounts", account_urls),
    _namespace("annotation", sitting_urls, annotator_urls, round_urls),
    _namespace("jobs", job_urls),
    _namespace("quality", quality_urls),
    _namespace("live", live_urls),
    _namespace("panels", panel_urls),
    _namespace("review", result_urls),
    _namespace("exports", export_urls),
    _namespace("rehearsal", rehearsal_urls),
    _namespace("workspace", workspace_urls),
    _namespace("api", api_urls),
    _namespace("web", web_urls),
]
