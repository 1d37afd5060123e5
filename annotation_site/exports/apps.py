from django.apps import AppConfig


class ExportsConfig(AppConfig):
    name = "annotation_site.exports"
