"""The few HTML pages that the API itself answers with: no scripts, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from hordenode.protocol.keys import Account

PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}"
    "label{display:block;margin:1rem 0}input{display:block;width:100%;font:inherit;padding:.4rem;box-sizing:border-box}"
    "button{font:inherit;padding:.4rem 1rem}code{font-size:1.2rem;word-break:break-all}.wrong{color:#c00}"
)
_INTRODUCTIONS = {
    "closed": "Registration is closed. Ask the owner of this horde for an account.",
    "invite": "This horde takes new users by invitation.",
    "open": "An account has its own API key, its own kudos and its own place in the queue.",
}


def registration_page(registration: str, entered: Mapping[str, str], wrong: str = "") -> str:
    """The form to register with, filled with what was entered, and what is wrong with that.

    registration: closed, invite or open; closed shows no form.
    """
    parts = [f"<p>{_INTRODUCTIONS[registration]}</p>"]
    if wrong:
        parts.append(f'<p class="wrong" role="alert">{escape(wrong)}</p>')
    if registration != "closed":
        parts.append(_form(entered, code_needed=registration == "invite"))
    return _page("Register", "".join(parts))


def _form(entered: Mapping[str, str], *, code_needed: bool) -> str:
    required = " required" if code_needed else ""
    wish = "" if code_needed else " (if you have one)"
    return (
        '<form method="post" action="register">'
        f"<label>Username{_input('username', entered, ' required minlength=3 maxlength=30')}</label>"
        f"<label>Contact, for the owner of this horde (optional){_input('contact', entered, ' maxlength=500')}</label>"
        f"<label>Invitation code{wish}{_input('invitation', entered, required)}</label>"
        "<button>Register</button></form>"
    )


def _input(name: str, entered: Mapping[str, str], attributes: str) -> str:
    return f'<input name="{name}" value="{escape(entered.get(name, ""))}" autocomplete="off"{attributes}>'


def account_page(account: Account) -> str:
    """What a new user must keep."""
    return _page(
        "Welcome",
        f"<p>You are <strong>{escape(account.username)}</strong>. Your API key:</p>"
        f"<p><code>{escape(account.apikey)}</code></p>"
        "<p>It is shown this one time and stored nowhere: keep it.</p>",
    )


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style><h1>{title}</h1>{body}</html>'
    )
