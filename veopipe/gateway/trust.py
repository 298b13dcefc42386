"""Whose certificates are believed: the only maker of a TLS context, and the words for a certificate that is refused.

* SSL_CERT_FILE and SSL_CERT_DIR replace all other authorities, as for OpenSSL and httpx. One of them that can't be
  read ends a command that needs it: every request would fail, and no message would say why.
* Without them, httpx's own list (certifi) and this machine's hold: a company puts its authority into the latter.
* REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE, which most company machines have, are believed besides. One of them that
  can't be read is no fault until a certificate isn't known; then it is named.
* Nothing turns the check of a certificate off.

Source: https://docs.openssl.org/3.0/man3/SSL_CTX_load_verify_locations/ (both variables, and the names in a
folder); https://docs.openssl.org/3.0/man1/openssl-verification-options/ (numbers of refusals);
DECISIONS.md, 26.
"""

from __future__ import annotations

import os
import re
import ssl
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from veopipe.errors import EnvironmentFault
from veopipe.gateway.library import httpx
from veopipe.text import listed, printable
from veopipe.values import dataclass

_INSTEAD = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_BESIDES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")
_UNKNOWN = frozenset({2, 19, 20, 21})
"""Refusals by OpenSSL that say: the chain ends at an authority that isn't known."""
NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Believes no authority: for connections that speak no TLS, where a library wants a context all the same."""
_NO_PEM = "holds no certificate in PEM form"


@dataclass(frozen=True, slots=True)
class Trust:
    """A TLS context, and where its authorities come from.

    Attributes:
        context: for every TLS connection of a command.
        sources: for people: the variables that were read, or what holds without them.
        unread: for people: what a variable names that couldn't be read.
    """

    context: ssl.SSLContext
    sources: str
    unread: str = ""

    def refusal(self, error: BaseException, host: str) -> str | None:
        """What is wrong with the certificate of `host`, and what to do; None: `error` is about something else."""
        found: BaseException | None = error
        while found is not None and not isinstance(found, ssl.SSLCertVerificationError):
            found = found.__cause__ or found.__context__
        if found is None:
            return None
        whose = f"the certificate of {printable(host)}"
        if found.verify_code in _UNKNOWN:
            more = f"; {self.unread}" if self.unread else ""
            return (
                f"{whose} comes from an authority that isn't known here: name a PEM file with the authority's "
                f"certificate in SSL_CERT_FILE (in a company, its IT has it); known are {self.sources}{more}"
            )
        return f"{whose} {_REFUSALS.get(found.verify_code) or _said(found)}"


_NAMES = "is for another name: look at base_url, and whether something in between answers in its place"
_REFUSALS = {
    9: "isn't valid yet: look at this machine's clock",
    10: "has expired: look at this machine's clock; if that is right, whoever runs it must renew it",
    18: "is signed by itself: if it is the right one, name it as a PEM file in SSL_CERT_FILE",
    23: "was revoked: whoever runs it must renew it",
    62: _NAMES,
    64: _NAMES,
}


def is_about_tls(error: BaseException | None) -> bool:
    """Whether an exception comes from TLS, however it is wrapped."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error is not None


def _said(error: ssl.SSLCertVerificationError) -> str:
    return f"isn't accepted: {printable(error.verify_message)}; SSL_CERT_FILE names the authorities that are believed"


def read(environ: Mapping[str, str]) -> Trust:
    """The context that an environment asks for. Takes some 30 ms.

    Raises:
        EnvironmentFault: SSL_CERT_FILE can't be read, or SSL_CERT_DIR where it stands alone.
    """
    named = {name: environ[name].strip() for name in (*_INSTEAD, *_BESIDES) if environ.get(name, "").strip()}
    needed = next((name for name in _INSTEAD if name in named), None)
    context, believed, unread = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), [], []
    if needed is None:
        context = httpx.create_ssl_context(trust_env=False)
        context.load_default_certs()
    elif sys.version_info >= (3, 13):
        context.verify_flags |= ssl.VERIFY_X509_STRICT  # as in the contexts that Python makes
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # each authority that is named is believed, a root or not
    for name, value in named.items():
        fault = _fault_of(context, name, value)
        if fault is None:
            believed.append(name)
        elif name == needed:
            raise EnvironmentFault(
                f"{name} can't be used: {printable(value)} {fault}.",
                hint=f"Name certificates in PEM form there, or unset {name}: then certifi's and this machine's hold.",
            )
        else:
            unread.append(f"{name} names {printable(value)}, which {fault}")
    return Trust(context, _sources(believed, alone=needed is not None), "; ".join(unread))


def _sources(variables: Sequence[str], *, alone: bool) -> str:
    """Whose authorities are believed, for people: those that variables name, alone or besides."""
    theirs = [f"those of {listed(variables)}"] if variables else []
    return ", and ".join(theirs if alone else ["certifi's and this machine's", *theirs])


def _fault_of(context: ssl.SSLContext, variable: str, value: str) -> str | None:
    """Believe what a variable names; None, or why that can't be. SSL_CERT_DIR may name several folders."""
    if variable != "SSL_CERT_DIR":
        return _load(context, Path(value), variable)
    faults = [_load(context, Path(folder), variable) for folder in value.split(os.pathsep) if folder]
    return None if None in faults else next(iter(faults), "names no folder")


def _load(context: ssl.SSLContext, path: Path, variable: str) -> str | None:
    """Believe what a file or folder holds; None, or why that can't be."""
    try:
        return _load_folder(context, path, variable) if path.is_dir() else _load_file(context, path, variable)
    except FileNotFoundError:
        return "isn't there"
    except PermissionError:
        return "may not be read"
    except ssl.SSLError:
        return _NO_PEM
    except (OSError, ValueError) as error:
        return f"can't be read ({getattr(error, 'strerror', None) or type(error).__name__})"


def _load_folder(context: ssl.SSLContext, path: Path, variable: str) -> str | None:
    if variable == "SSL_CERT_FILE":
        return "is a folder; a folder goes into SSL_CERT_DIR"
    if not any(_HASHED.fullmatch(entry.name) for entry in path.iterdir()):
        return "holds no certificate under the name that OpenSSL looks for (openssl rehash FOLDER)"
    context.load_verify_locations(capath=path)
    return None


def _load_file(context: ssl.SSLContext, path: Path, variable: str) -> str | None:
    if variable == "SSL_CERT_DIR" and path.exists():
        return "is no folder; a file goes into SSL_CERT_FILE"
    before = context.cert_store_stats()["x509"]
    context.load_verify_locations(cafile=path)
    has_none = context.cert_store_stats()["x509"] == before
    return _NO_PEM if has_none and variable in _INSTEAD else None  # the others may repeat what is known
