"""Exports: whole tables as streams of lines, one JSON object each."""

from target_app.exports.router import router

__all__ = ["router"]
