from django.apps import AppConfig


class PanelsConfig(AppConfig):
    name = "annotation_site.panels"
