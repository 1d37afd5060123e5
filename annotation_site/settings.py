"""Settings of the annotation site, read from the environment.

Every variable is named GAZECHECK_… and has a default that is right on a developer's machine only;
`annotation_site.web.checks` refuses to deploy with those defaults.
"""

from pathlib import Path
from typing import Any

import csp.constants
from environs import Env

from annotation_site.api import conf as api_conf

env = Env()
BASE_DIR = Path(__file__).resolve().parent.parent

LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
DEVELOPMENT_KEY = "development-only-key-" + "0" * 43

DEBUG = env.bool("GAZECHECK_DEBUG", False)
SECRET_KEY = env.str("GAZECHECK_SECRET_KEY", DEVELOPMENT_KEY)
IDENTITY_KEY = env.str("GAZECHECK_IDENTITY_KEY", "")
"""Seals what panels call people; drawn from the secret key where it is empty."""
PROLIFIC_API = env.str("GAZECHECK_PROLIFIC_API", "https://api.prolific.com")
PANEL_HOSTS: list[str] = env.list(
    "GAZECHECK_PANEL_HOSTS",
    ["app.prolific.com", "connect.cloudresearch.com", "worker.mturk.com", ".sona-systems.com"],
)
"""Where annotators may be sent at the end; a leading dot admits all hosts below a name."""
ALLOWED_HOSTS = env.list("GAZECHECK_ALLOWED_HOSTS", LOCAL_HOSTS)
CSRF_TRUSTED_ORIGINS: list[str] = env.list("GAZECHECK_TRUSTED_ORIGINS", [])
BEHIND_TLS = env.bool("GAZECHECK_BEHIND_TLS", False)

VAR = Path(env.str("GAZECHECK_VAR", str(BASE_DIR / "var"))).resolve()
ARTIFACTS = Path(env.str("GAZECHECK_ARTIFACTS", str(VAR / "artifacts"))).resolve()
EXECUTOR = env.str("GAZECHECK_EXECUTOR", "local")
DATA_ROOT = Path(env.str("GAZECHECK_DATA_ROOT", str(VAR / "data"))).resolve()
"""Only below this folder may a lead pick data sets, weights and folders of pictures."""
MEDIA_ROOT = VAR / "media"
"""Re-encoded pictures and export files; served by views that check who asks, never by URL."""

INSTALLED_APPS = [
    "annotation_site.web",
    "annotation_site.accounts",
    "annotation_site.projects",
    "annotation_site.annotation",
    "annotation_site.quality",
    "annotation_site.jobs",
    "annotation_site.panels",
    "annotation_site.review",
    "annotation_site.live",
    "annotation_site.exports",
    "annotation_site.workspace",
    "annotation_site.api",
    "annotation_site.demo",
    "annotation_site.rehearsal",
    "django_tasks",
    "django_tasks_db",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "axes",
    "csp",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "annotation_site.urls"
WSGI_APPLICATION = "annotation_site.wsgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
        },
    }
]

DATABASES = {
    "default": env.dj_db_url("GAZECHECK_DATABASE_URL", f"sqlite:///{VAR / 'site.sqlite3'}")
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    if DATABASES["default"]["NAME"] != ":memory:":  # SQLite makes a file, but no folder for it
        Path(DATABASES["default"]["NAME"]).parent.mkdir(parents=True, exist_ok=True)
    DATABASES["default"].setdefault("OPTIONS", {}).update(
        # A deferred transaction that turns into a write fails at once when another one writes;
        # an immediate one waits its turn.
        transaction_mode="IMMEDIATE",
        timeout=20,
        # FULL: an answer that was acknowledged outlives a power cut, not the process alone.
        init_command="PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    )
else:
    DATABASES["default"]["ENGINE"] = "annotation_site.web.postgres"
    DATABASES["default"].setdefault("OPTIONS", {}).update(
        # Plans of the statements of an answer are kept; behind a pooler of transactions set it 0.
        prepare_threshold=env.int("GAZECHECK_DATABASE_PREPARE", 3) or None,
    )
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# Every thread of the server keeps its connection: cheaper than a pool, which hands one out and
# takes it back with each request. No more connections are open than there are threads.
DATABASES["default"]["CONN_MAX_AGE"] = env.int("GAZECHECK_DATABASE_MAX_AGE", 600)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "projects:list"
LOGOUT_REDIRECT_URL = "accounts:sign_in"
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
AXES_LOCKOUT_TEMPLATE = "accounts/locked.html"

REST_FRAMEWORK = api_conf.REST_FRAMEWORK
SPECTACULAR_SETTINGS = api_conf.SPECTACULAR_SETTINGS
API_RATE = env.str("GAZECHECK_API_RATE", "300/min")
"""Requests of one token, counted in each web process."""

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ar", "العربية")]
"""Of the annotators' pages; the lead's side speaks English."""
LOCALE_PATHS = [BASE_DIR / "annotation_site" / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = VAR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "annotation_site.web.storage.StaticFiles"},
}
WHITENOISE_USE_FINDERS = True

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [csp.constants.SELF],
        "img-src": [csp.constants.SELF, "data:", "blob:"],
        "script-src": [csp.constants.SELF, csp.constants.NONCE],
        "style-src": [csp.constants.SELF, csp.constants.NONCE],
        "object-src": [csp.constants.NONE],
        "base-uri": [csp.constants.NONE],
        "frame-ancestors": [csp.constants.NONE],
        "form-action": [csp.constants.SELF],
    }
}
X_FRAME_OPTIONS = "DENY"
# With "no-referrer" browsers send "Origin: null" with every form, which the CSRF check refuses.
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = BEHIND_TLS
if BEHIND_TLS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": env.str("GAZECHECK_LOG_LEVEL", "WARNING")},
}
