"""What `settings` tells the REST framework and the maker of its schema. Plain values, no imports."""

from typing import Any

REST_FRAMEWORK: dict[str, Any] = {
    # Denied by default: a view without scopes lets nobody in.
    "DEFAULT_AUTHENTICATION_CLASSES": ["annotation_site.api.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["annotation_site.api.permissions.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["annotation_site.api.throttling.TokenThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "annotation_site.api.schema.Schema",
    "EXCEPTION_HANDLER": "annotation_site.api.problems.problem_of",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Gazecheck",
    "VERSION": "1",
    "DESCRIPTION": (
        "Read projects, rounds, answers and scores, and have exports written. Every request carries "
        "`Authorization: Bearer <token>`; a token sees only projects that its owner is a member of, "
        "and everything else is 404. Lists come in pages: follow `next` until it is null. Unknown "
        "parameters are refused. Errors are `application/problem+json`."
    ),
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": [
        "annotation_site.api.schema.add_problems",
    ],
    "SORT_OPERATIONS": True,
}
