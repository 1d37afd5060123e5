"""Addresses of a closed round's result and of trials of its checkpoints."""

from django.urls import path

from annotation_site.review import views

urlpatterns = [
    path("rounds/<str:public_id>/result/", views.result, name="result"),
    path("rounds/<str:public_id>/result/cells/<int:index>/", views.cell, name="cell"),
    path("rounds/<str:public_id>/try/", views.try_model, name="try_model"),
    path("trials/<int:pk>/", views.trial, name="trial"),
    path("trials/<int:pk>/<int:index>.webp", views.trial_picture, name="trial_picture"),
]
