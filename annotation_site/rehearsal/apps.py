from django.apps import AppConfig


class RehearsalConfig(AppConfig):
    name = "annotation_site.rehearsal"
