# One image for every part of Keywatt; the command says which part runs.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/opt/keywatt
WORKDIR /opt/keywatt

# Dependencies first: they change rarely, and every file is checked by its hash.
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements.lock

COPY meters meters
COPY accounts accounts
COPY analytics analytics
COPY storage storage
COPY reports reports
COPY alerts alerts
COPY collector collector
COPY simulators simulators
COPY dashboard dashboard
COPY keywatt keywatt
COPY pyproject.toml LICENSE ./

# A volume on this folder takes over its owner.
RUN useradd --system --create-home keywatt && install -d -o keywatt /var/lib/keywatt
USER keywatt
ENTRYPOINT ["python", "-m", "keywatt"]
CMD ["--help"]
