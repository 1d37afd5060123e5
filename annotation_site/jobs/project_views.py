"""The form for a new project; it queues the job that reads the data."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.jobs.forms import ARCHITECTURES, RegisterForm
from annotation_site.jobs.registration import register
from annotation_site.web.refusals import Refused


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: SignedInRequest) -> HttpResponse:
    """Show the form, or register what it names."""
    form = RegisterForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            job = register(lead=request.user, **form.registration())
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "Registered. The data are being read.")
            return redirect("projects:detail", job.project.public_id)
    return render(
        request,
        "projects/new.html",
        {"form": form, "architectures": ARCHITECTURES},
        status=422 if form.is_bound else 200,
    )
