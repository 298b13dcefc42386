"""A small client of the Language Server Protocol over stdio, as an editor is one.

Only what the tests ask for: open a text, wait for its diagnostics, hover, completion. The server's own
questions (configuration, registration) are answered; everything else that it says is passed over.
"""

from __future__ import annotations

import itertools
import json
import queue
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LIMIT = 60.0
"""Seconds after which the server hangs."""


class LanguageServer:
    """A server process that speaks LSP; a context manager.

    Args:
        command: the server, with `--stdio`.
        folder: the workspace.
        schemas: schema's address → globs of the files that it is for.
    """

    def __init__(self, command: Sequence[str], folder: Path, schemas: dict[str, list[str]]) -> None:
        self._settings = {
            "yaml": {
                "schemas": schemas,
                "validate": True,
                "hover": True,
                "completion": True,
                "schemaStore": {"enable": False},
            },
            "http": {"proxy": "", "proxyStrictSSL": True},
            "[yaml]": {"editor.tabSize": 2},
        }
        self._folder = folder
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder)
        self._numbers = itertools.count(1)
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._diagnostics: queue.Queue[dict[str, Any]] = queue.Queue()
        self._knows_settings = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> LanguageServer:
        self._reader.start()
        uri = self._folder.as_uri()
        folding = {"dynamicRegistration": False, "lineFoldingOnly": True}
        abilities = {
            "textDocument": {
                "hover": {"contentFormat": ["markdown"]},
                "completion": {"completionItem": {"snippetSupport": True, "documentationFormat": ["markdown"]}},
                "foldingRange": folding,
                "publishDiagnostics": {"codeDescriptionSupport": True},
            },
            "workspace": {"configuration": True, "workspaceFolders": True},
        }
        folders = [{"uri": uri, "name": self._folder.name}]
        self.ask("initialize", processId=None, rootUri=uri, capabilities=abilities, workspaceFolders=folders)
        self.tell("initialized")
        self.tell("workspace/didChangeConfiguration", settings=self._settings)
        assert self._knows_settings.wait(LIMIT)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.ask("shutdown")
            self.tell("exit")
            self._process.wait(10)
        finally:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._reader.join(10)

    # --- what the tests ask ----------------------------------------------------------------------

    def open(self, path: Path, text: str) -> list[dict[str, Any]]:
        """Open a file with that text and wait for what the server says of it."""
        return self.open_all({path: text})[path]

    def open_all(self, texts: Mapping[Path, str]) -> dict[Path, list[dict[str, Any]]]:
        """Open files, all at once, and wait for the diagnostics of each."""
        awaited = {path.as_uri(): path for path in texts}
        for path, text in texts.items():
            document = {"uri": path.as_uri(), "languageId": "yaml", "version": 1, "text": text}
            self.tell("textDocument/didOpen", textDocument=document)
        found = {}
        while awaited:
            said = self._diagnostics.get(timeout=LIMIT)
            if path := awaited.pop(said["uri"], None):
                found[path] = said["diagnostics"]
        return found

    def hover(self, path: Path, line: int, character: int) -> str:
        """The text that is shown over a place (from 0) of an open file, as Markdown."""
        found = self._at("textDocument/hover", path, line, character)
        return "" if found is None else found["contents"]["value"]

    def completion(self, path: Path, line: int, character: int) -> dict[str, dict[str, Any]]:
        """What is offered at a place (from 0) of an open file, by label."""
        found = self._at("textDocument/completion", path, line, character)
        return {item["label"]: item for item in (found["items"] if isinstance(found, dict) else found or [])}

    def _at(self, method: str, path: Path, line: int, character: int) -> Any:
        place = {"line": line, "character": character}
        return self.ask(method, textDocument={"uri": path.as_uri()}, position=place)

    # --- the protocol ----------------------------------------------------------------------------

    def ask(self, method: str, **parameters: Any) -> Any:
        """A request, and the result of its answer."""
        number = next(self._numbers)
        self._send({"id": number, "method": method, "params": parameters})
        while (answer := self._answers.get(timeout=LIMIT)).get("id") != number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def tell(self, method: str, **parameters: Any) -> None:
        """A notification."""
        self._send({"method": method, "params": parameters})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._process.stdin.flush()

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while head := stream.readline():
            length = int(head.partition(b":")[2])
            while stream.readline().strip():
                pass
            self._take(json.loads(stream.read(length)))

    def _take(self, message: dict[str, Any]) -> None:
        if "method" not in message:
            self._answers.put(message)
        elif "id" in message:
            self._send({"id": message["id"], "result": self._answer(message)})
            if message["method"] == "workspace/configuration":
                self._knows_settings.set()
        elif message["method"] == "textDocument/publishDiagnostics":
            self._diagnostics.put(message["params"])

    def _answer(self, message: dict[str, Any]) -> Any:
        if message["method"] != "workspace/configuration":
            return None
        return [self._settings.get(item.get("section", ""), {}) for item in message["params"]["items"]]
