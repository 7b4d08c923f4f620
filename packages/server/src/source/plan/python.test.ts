import assert from 'node:assert/strict'
import test from 'node:test'
import { planned, refused, titles } from './testing.ts'

const MANAGE = `import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\n`

test('a Procfile and requirements.txt make a Python app', () => {
  const found = planned({
    Procfile: 'web: gunicorn app:app\nworker: celery -A app worker',
    'requirements.txt': 'flask\ngunicorn',
  })
  assert.deepEqual(
    [found.kind, found.buildImage, found.runImage, found.web, found.processes['worker']],
    ['python', 'build-python', 'python', ['gunicorn', 'app:app'], ['celery', '-A', 'app', 'worker']],
  )
  assert.deepEqual(titles(found), ['pip install, by requirements.txt'])
  assert.equal(found.env['PATH']?.split(':')[0], '/app/.venv/bin')
  assert.ok(found.cache)
})

test('uv and poetry in a command are left out: what they would set up is there', () => {
  const found = planned({ Procfile: 'web: uv run gunicorn app:app', 'pyproject.toml': '', 'uv.lock': 'version = 1' })
  assert.deepEqual(found.web, ['gunicorn', 'app:app'])
  assert.deepEqual(titles(found), ['pip install, by uv.lock'])
})

test('without a Procfile the conventions of the framework start it', () => {
  const web = (files: Record<string, string>) => planned(files).web.join(' ')
  assert.equal(web({ 'manage.py': MANAGE, 'requirements.txt': 'Django==5\ngunicorn>=21' }), 'gunicorn mysite.wsgi')
  assert.match(
    web({ 'manage.py': MANAGE, 'requirements.txt': 'Django' }),
    /manage\.py runserver --noreload 0\.0\.0\.0:\$PORT/,
  )
  assert.equal(
    web({ 'app.py': 'from flask import Flask\napp = Flask(__name__)', 'requirements.txt': 'flask\ngunicorn' }),
    'gunicorn app:app',
  )
  assert.match(
    web({ 'app.py': 'from flask import Flask\nserver = Flask(__name__)', 'requirements.txt': 'Flask~=3.0' }),
    /flask --app app run .*\$PORT/,
  )
  assert.match(
    web({
      'main.py': 'from fastapi import FastAPI\napi: FastAPI = FastAPI()',
      'requirements.txt': 'fastapi\nuvicorn[standard]',
    }),
    /uvicorn main:api --host 0\.0\.0\.0 --port \$PORT/,
  )
  assert.match(web({ 'app.py': 'import streamlit as st', 'requirements.txt': 'streamlit' }), /streamlit run app\.py/)
  assert.match(
    web({
      'main.py': 'from fastapi import FastAPI\napp = FastAPI()',
      'pyproject.toml': '[project]\ndependencies = ["fastapi>=0.1", "uvicorn"]',
    }),
    /uvicorn main:app/,
  )
})

test('a program of the standard library is started by itself, with nothing to install', () => {
  const found = planned({
    'app.py': 'import os\nfrom http.server import HTTPServer\nHTTPServer(("", int(os.environ["PORT"])), X)',
  })
  assert.deepEqual([found.kind, found.web], ['python', ['python', 'app.py']])
  assert.deepEqual(titles(found), ['python3 -m venv --without-pip .venv'])
})

test('a program that serves nothing is no app, and no file server is put in its place', () => {
  assert.match(
    refused({ 'main.py': 'print("hello")', 'requirements.txt': 'requests' }).sentence,
    /nothing says how to start it/,
  )
  assert.equal(planned({ 'main.py': 'print(1)', 'index.html': '' }).kind, 'static')
})

test('Django collects its static files where something serves them', () => {
  const found = planned({ 'manage.py': MANAGE, 'requirements.txt': 'django\ngunicorn\nwhitenoise' })
  assert.ok(titles(found).includes('python manage.py collectstatic --noinput'))
})

test('MkDocs is built to a site', () => {
  const listed = planned({ 'mkdocs.yml': 'site_name: x', 'requirements.txt': 'mkdocs-material==9' })
  assert.deepEqual(
    [listed.kind, titles(listed)],
    ['static', ['pip install, by requirements.txt', 'mkdocs build --site-dir site', 'collect the site']],
  )
  assert.match(titles(planned({ 'mkdocs.yml': 'site_name: x' }))[0] ?? '', /mkdocs==1\.6\.1/)
})

test('a package.json for styles does not make a Django app one of Node; a start script does', () => {
  const files = {
    'manage.py': MANAGE,
    'requirements.txt': 'django\ngunicorn',
    'package.json': { scripts: { build: 'tailwind' } },
  }
  assert.equal(planned(files).kind, 'python')
  assert.equal(
    planned({ 'requirements.txt': 'ansible', 'package.json': { scripts: { start: 'node a.js' } } }).kind,
    'node',
  )
  assert.equal(
    planned({ Procfile: 'web: python app.py', 'package.json': { scripts: { start: 'node a.js' } } }).kind,
    'python',
  )
})

test('a Python that is not there is asked for in vain, and that is said', () => {
  assert.match(
    planned({ 'app.py': 'import http.server', 'runtime.txt': 'python-3.9.1' }).notes.join(),
    /asks for Python 3\.9/,
  )
})
