"""Addresses of the annotator's pages."""

from django.urls import path

from annotation_site.annotation import task_views, views

app_name = "annotation"
urlpatterns = [
    path("a/<str:link_token>/", views.consent, name="consent"),
    path("a/<str:link_token>/start/", views.start, name="start"),
    path("a/<str:link_token>/decline/", views.decline, name="decline"),
    path("s/<str:sitting_id>/practice/", views.practice, name="practice"),
    path("s/<str:sitting_id>/practice/answer/", views.practice_answer, name="practice_answer"),
    path("s/<str:sitting_id>/practice/repeat/", views.practice_repeat, name="practice_repeat"),
    path("s/<str:sitting_id>/practice/finish/", views.practice_finish, name="practice_finish"),
    path("s/<str:sitting_id>/", task_views.task, name="task"),
    path("s/<str:sitting_id>/answer/", task_views.answer, name="answer"),
    path("s/<str:sitting_id>/undo/", task_views.undo, name="undo"),
    path("s/<str:sitting_id>/serve/", task_views.serve, name="serve"),
    path("s/<str:sitting_id>/ahead/", task_views.ahead, name="ahead"),
    path("s/<str:sitting_id>/withdraw/", views.withdraw, name="withdraw"),
    path("s/<str:sitting_id>/resume/", views.resume, name="resume"),
    path("s/<str:sitting_id>/report/", task_views.report, name="report"),
    path("s/<str:sitting_id>/questions/", views.questions, name="questions"),
    path("s/<str:sitting_id>/questions/answer/", views.questions_answer, name="questions_answer"),
    path("s/<str:sitting_id>/done/", views.done, name="done"),
    path(
        "s/<str:sitting_id>/image/<str:image_id>-heat.webp",
        task_views.heat_picture,
        name="heat_picture",
    ),
    path(
        "s/<str:sitting_id>/task/<uuid:assignment_id>.webp",
        task_views.task_picture,
        name="task_picture",
    ),
    path("s/<str:sitting_id>/image/<str:image_id>.webp", task_views.picture, name="picture"),
]
