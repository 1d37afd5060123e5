"""Signing in and out."""

from django.contrib.auth.views import LoginView, LogoutView

from annotation_site.accounts.forms import SignInForm


class SignIn(LoginView):
    """Name and password; too many wrong ones lock the pair of name and address for a while."""

    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


class SignOut(LogoutView):
    """POST only, as Django has it."""

    http_method_names = ["post", "options"]
