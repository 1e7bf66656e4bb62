"""A tus server of others, on FastAPI: python tus.py FOLDER PORT MAX_BYTES."""

import sys

import uvicorn
from fastapi import FastAPI
from tuspyserver import create_tus_router

folder, port, max_bytes = sys.argv[1:]
app = FastAPI()
app.include_router(create_tus_router(prefix="files", files_dir=folder, max_size=int(max_bytes)))
uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning")
