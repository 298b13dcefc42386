"""What each behaviour of the fault server must be taken for, by dialect: (create, poll, content).

A class ends where the reason doesn't matter or depends on who is quicker: `in doubt` stands for every
reason, `a or b` for either.

Source: docs/design.md, 6 (Answers to a create) and 6 (Answers to polls); docs/api-facts.md, h; docs/hazards.md, b.
"""

from __future__ import annotations

Classes = tuple[str, str, str]

_GROUPS: dict[Classes, tuple[str, ...]] = {
    ("accepted", "completed", "complete"): (
        "good",
        "latency",
        "closes_kept_connections",
        "keeps_connections",
        "drips_to_the_end",
        "chunked_as_it_should_be",
        "chunked_with_extras",
        "length_twice_the_same",
        "header_of_60_kb",
        "headers_by_the_thousand",
        "header_folded",
        "header_in_latin_1",
        "line_ends_without_cr",
        "interim_answers_first",
        "bytes_behind_the_answer",
        "http_1_0",
        "http_3_0",
        "status_without_words",
        "no_content_type",
        "charset_base64",
        "charset_unknown",
        "type_octet_stream",
        "status_206",
        "status_201",
        "gzip_unasked",
        "deflate_unasked",
        "gzip_that_is_none",
        "type_text_plain",
        "type_html",
        "length_and_chunked",
    ),
    ("not sent", "trouble", "not ready"): (
        "refused",
        "full_backlog",
        "plain_behind_https",
        "tls_alert",
        "tls_stall",
        "tls_reset",
        "tls_untrusted",
    ),
    ("in doubt", "trouble", "not ready"): (
        "never_accepted",
        "reset_after_the_head",
        "never_reads",
        "tls_behind_http",
    ),
    ("in doubt or not sent", "trouble", "not ready"): (
        "closed_at_once",
        "reset_at_once",
    ),
    ("in doubt: partial_body", "trouble", "not ready"): (
        "reset_within_the_body",
        "reads_a_little_and_stalls",
    ),
    ("in doubt: no_answer", "trouble", "not ready"): (
        "reset_after_the_request",
        "closed_after_the_request",
        "stall_before_the_answer",
        "stall_in_the_head",
        "headers_for_ever",
        "one_header_for_ever",
        "status_line_for_ever",
        "cut_in_the_status_line",
        "cut_in_the_head",
        "lengths_in_conflict",
        "length_negative",
        "length_no_number",
        "length_astronomic",
        "unknown_transfer_encoding",
        "header_of_200_kb",
        "header_without_colon",
        "header_with_a_nul",
        "http_0_9",
        "binary_noise",
        "a_greeting_of_ssh",
        "http_2_preface",
        "status_000",
        "status_101",
        "status_no_number",
        "redirect_javascript",
        "redirect_data",
        "redirect_bad_brackets",
        "redirect_control_characters",
        "redirect_long",
        "echo_in_the_protocol",
    ),
    ("in doubt: accepted_without_id", "trouble", "corrupt"): (
        "reset_within_the_answer",
        "stall_in_the_body",
        "body_drips_for_ever",
        "body_for_ever",
        "tiny_chunks_for_ever",
        "cut_after_the_head",
        "gzip_bomb",
        "gzip_bomb_in_a_bomb",
        "gzip_cut",
        "brotli_unasked",
        "cut_in_the_body",
        "cut_before_the_last_byte",
        "cut_without_length",
        "cut_with_a_clean_end",
        "chunked_cut_with_a_clean_end",
        "chunk_size_no_number",
        "chunk_size_huge",
        "chunk_size_wrong",
        "chunk_extension_huge",
        "length_too_short",
        "length_zero",
        "html_page_as_the_real_type",
        "empty",
        "spaces",
        "json_utf_16",
        "json_utf_32",
        "json_deep",
        "json_deep_inside",
        "json_nan",
        "json_huge_number",
        "json_list",
        "json_string",
        "json_null",
        "json_larger_than_a_mebibyte",
        "json_with_trailing_commas",
        "json_twice",
        "id_that_climbs",
        "id_that_is_a_url",
        "id_with_a_query",
        "id_with_escapes",
        "id_of_a_kilobyte",
        "echo_cut_off",
    ),
    ("in doubt: no_answer_in_time", "trouble", "corrupt"): (
        "head_drips_for_ever",
        "interim_answers_for_ever",
        "interim_answers_drip",
    ),
    ("in doubt: accepted_without_id", "trouble", "complete"): ("gzip_six_times",),
    ("accepted", "trouble", "corrupt"): ("length_of_a_terabyte",),
    ("accepted", "trouble", "complete"): ("chunked_without_its_end",),  # its boxes show that nothing is missing
    ("accepted", "completed", "corrupt"): (
        "json_with_a_bom",
        "json_not_utf_8",
        "json_infinity",
        "json_duplicate_keys",
        "json_half_a_character",
    ),
    ("in doubt: server_error", "completed", "not ready"): (
        "status_999",
        "status_600",
    ),
    ("in doubt: accepted_without_id", "trouble", "not ready"): (
        "status_204",
        "html_page",
        "echo_as_the_id",
    ),
    ("in doubt: redirect", "trouble", "not ready"): (
        "status_304",
        "redirect_loop",
        "redirect_nowhere",
        "redirect_file",
        "redirect_ftp",
        "redirect_odd_host",
        "redirect_host_with_spaces",
        "redirect_bad_port",
        "redirect_with_userinfo",
        "redirect_with_backslash",
        "redirect_to_a_host_that_says_401",
        "redirect_to_a_host_that_says_410",
        "echo_in_a_redirect",
    ),
    ("in doubt: server_error", "trouble", "not ready"): (
        "html_502",
        "html_524",
        "empty_503",
    ),
    ("refused: throttle", "trouble", "not ready"): ("busy_429",),
    ("refused: account", "key refused", "key refused"): ("early_401",),
    ("refused: shot", "trouble", "not ready"): (
        "early_413",
        "echo_in_a_refusal",
    ),
    ("refused or in doubt", "trouble", "not ready"): ("early_413_and_reset",),
    ("in doubt: redirect", "trouble", "complete"): (
        "redirect_301_same_origin",
        "redirect_302_same_origin",
        "redirect_303_same_origin",
        "redirect_307_same_origin",
        "redirect_308_same_origin",
        "redirect_to_another_origin",
        "redirect_without_scheme",
    ),
    ("in doubt: accepted_without_id", "completed", "corrupt"): ("id_that_is_a_number",),
    ("in doubt: server_error_enveloped", "trouble", "not ready"): ("echo_in_an_error",),
}

_VIDEOS: dict[str, Classes] = {name: classes for classes, names in _GROUPS.items() for name in names}
# The transport is the same, so only what a body or status says can differ. A poll of an interaction is about that one
# by its id, and no answer with another status than 2xx holds one.
_OTHERWISE: dict[str, Classes] = {
    "id_that_is_a_number": ("in doubt: accepted_without_id", "trouble", "corrupt"),
    "status_600": ("in doubt: server_error", "trouble", "not ready"),
    "status_999": ("in doubt: server_error", "trouble", "not ready"),
}
EXPECTED: dict[str, dict[str, Classes]] = {"videos": _VIDEOS, "interactions": {**_VIDEOS, **_OTHERWISE}}
"""Dialect → behaviour → its classes."""

SLOW = frozenset(
    {name for name in _VIDEOS if "stall" in name or "for_ever" in name}
    | {"never_accepted", "full_backlog", "never_reads", "interim_answers_drip"}
)
"""Only a timeout ends these."""

LARGE = frozenset(
    {"early_401", "early_413", "early_413_and_reset", "reset_after_the_head", "reset_within_the_body"}
    | {"never_reads", "reads_a_little_and_stalls"}
)
"""These happen while 8 MB are on their way."""
