"""What people write in the field `store`, and what they are told when it cannot be."""

from __future__ import annotations

import traceback

import pytest
import yaml
from jobflow import Flow, JobStore, run_locally
from maggma.stores import GridFSStore, MemoryStore, MongoStore
from monty.serialization import dumpfn
from store_contract import length, trajectory

from zonemelt.tasks.errors import InputError, StoreError, UnknownKeyError
from zonemelt.tasks.sqlite_store import SQLiteStore
from zonemelt.tasks.store_parts import patience_of
from zonemelt.tasks.store_specs import redact
from zonemelt.tasks.stores import check_store, open_store

SECRET = "mongodb://anna:p%40ss@127.0.0.1:1/db"


class TestDefault:
    def test_is_sqlite_in_the_campaign_directory(self, tmp_path):
        store = open_store(directory=tmp_path)
        assert isinstance(store.docs_store, SQLiteStore)
        assert list(tmp_path.iterdir()) == [], "nothing is written before connect()"
        with store:
            assert (store.docs_store.path, store.docs_store.collection_name) == (
                str(tmp_path / "ledger.db"),
                "outputs",
            )
            assert store.docs_store.blobs == str(tmp_path / "blobs")
            check_store(store)

    def test_makes_additional_stores_of_any_name_and_finds_them_again(self, tmp_path):
        made = trajectory(3)
        used = length(made.output["trajectory"])
        made.config.expose_store = False
        made._kwargs = {"frames": made._kwargs["data"]}
        with open_store(directory=tmp_path) as store:
            run_locally(Flow([made, used]), store=store, log=False, ensure_success=True)
            assert list(store.additional_stores) == ["frames"]
        with open_store(directory=tmp_path) as store:
            assert list(store.additional_stores) == ["frames"]
            assert len(store.get_output(made.uuid, load=True)["trajectory"]) == 3
            store.remove_docs({"uuid": made.uuid})
            assert store.additional_stores["frames"].count() == 0

    def test_reading_the_campaign_of_somebody_else(self, tmp_path):
        made = trajectory(3)
        with open_store(directory=tmp_path) as store:
            run_locally(Flow([made]), store=store, log=False, ensure_success=True)
        with open_store({"type": "sqlite", "read_only": True}, directory=tmp_path) as store:
            assert len(store.get_output(made.uuid, load=True)["trajectory"]) == 3
            with pytest.raises(StoreError, match="readonly"):
                store.remove_docs({})

    def test_same_by_name(self, tmp_path):
        assert (
            open_store("sqlite", directory=tmp_path).docs_store
            == open_store(None, directory=tmp_path).docs_store
        )


class TestMappings:
    def test_sqlite(self, tmp_path):
        spec = {"type": "sqlite", "path": "a/b.db", "collection": "c", "blobs": "files"}
        docs = open_store(spec, directory=tmp_path).docs_store
        assert (docs.path, docs.collection_name, docs.blobs) == (
            str(tmp_path / "a/b.db"),
            "c",
            str(tmp_path / "files"),
        )

    def test_memory(self):
        with open_store({"type": "memory"}) as store:
            assert isinstance(store.docs_store, MemoryStore)
            assert isinstance(store.additional_stores["anything"], MemoryStore)
            assert store.additional_stores["anything"] is not store.additional_stores["other"]

    def test_mongodb_by_parts_and_by_uri(self, monkeypatch):
        monkeypatch.setenv("MONGO_PASSWORD", "p@ss")
        parts = {"type": "mongo", "host": "h", "port": 1, "database": "d", "collection": "c", "username": "u"}
        docs = open_store(parts | {"password": "${MONGO_PASSWORD}"}).docs_store
        assert type(docs) is MongoStore
        assert (docs.host, docs.port, docs.database, docs.collection_name) == ("h", 1, "d", "c")
        assert docs.password == "p@ss"
        for uri, names in {
            "mongodb://h/d": ("d", "outputs"),
            "mongodb://u:p@h1:1,h2:2/d.c.e?replicaSet=r": ("d", "c.e"),
        }.items():
            store = open_store(uri)
            assert (store.docs_store.database, store.docs_store.collection_name) == names
            assert isinstance(store.additional_stores["data"], GridFSStore)
            assert store.additional_stores["data"].key == "blob_uuid"
        assert store.docs_store.uri == "mongodb://u:p@h1:1,h2:2/d?replicaSet=r"

    def test_how_long_mongodb_may_take_is_said_in_the_uri(self):
        slow, quick = (
            open_store(f"mongodb://127.0.0.1:1/d{said}") for said in ("", "?serverSelectionTimeoutMS=50")
        )
        assert patience_of(slow.docs_store) == 5
        assert patience_of(quick.docs_store) == 0.05
        assert "serverSelectionTimeoutMS" not in quick.docs_store.mongoclient_kwargs
        with pytest.raises(StoreError, match="does not answer"):
            check_store(quick)

    def test_s3_beside_sqlite_and_beside_mongodb(self, tmp_path):
        s3 = {
            "type": "s3",
            "bucket": "b",
            "prefix": "p",
            "endpoint_url": "http://127.0.0.1:1",
            "compress": False,
        }
        for spec in ({"type": "sqlite"}, {"type": "mongo", "uri": "mongodb://h/d"}):
            store = open_store(spec | {"additional": {"data": s3}}, directory=tmp_path)
            data = store.additional_stores["data"]
            assert (data.bucket, data.sub_dir, data.key) == ("b", "p/", "blob_uuid")
            assert type(data.index) is type(store.docs_store)

    def test_s3_without_its_library(self, monkeypatch):
        import maggma.stores.aws

        monkeypatch.setattr(maggma.stores.aws, "boto3", None)
        with pytest.raises(InputError, match=r"additional.data: S3 cannot be used[\s\S]*pip install boto3"):
            open_store({"type": "memory", "additional": {"data": {"type": "s3", "bucket": "b"}}})

    def test_gridfs(self):
        spec = {
            "type": "mongo",
            "uri": "mongodb://h/d",
            "additional": {"data": {"type": "gridfs", "collection": "x"}},
        }
        data = open_store(spec).additional_stores["data"]
        assert (data.uri, data.database, data.collection_name) == ("mongodb://h/d", "d", "x")
        with pytest.raises(InputError, match="GridFS needs a MongoDB server"):
            open_store({"type": "memory", "additional": {"data": {"type": "gridfs"}}})
        spec = {"type": "memory", "additional": {"data": {"type": "gridfs", "uri": "mongodb://h/d"}}}
        assert open_store(spec).additional_stores["data"].database == "d"

    @pytest.mark.parametrize(
        ("spec", "error", "what"),
        [
            ({"type": "mongodb"}, UnknownKeyError, "did you mean 'mongo'"),
            ({"path": "x"}, UnknownKeyError, "unknown key 'None'"),
            ({"type": "sqlite", "pth": "x"}, UnknownKeyError, "did you mean 'path'"),
            (
                {"type": "memory", "additional": {"data": {"type": "gridf"}}},
                UnknownKeyError,
                "did you mean 'gridfs'",
            ),
            (
                {"type": "memory", "additional": {"d": {"type": "s3", "buket": 1}}},
                UnknownKeyError,
                "did you mean 'bucket'",
            ),
            ({"type": "memory", "additional": {"d": "s3"}}, InputError, "expected a mapping"),
            ({"type": "memory", "additional": {"d": {"type": "s3"}}}, InputError, "bucket' is missing"),
            ({"type": "mongo", "port": "x", "database": "d"}, InputError, "store: port"),
            ({"type": "mongo"}, InputError, "no database"),
            (
                {"type": "mongo", "uri": ["mongodb://u:p@h/d"]},
                InputError,
                "store: uri: \\*\\*\\* cannot",
            ),
            ({"type": "mongo", "password": "${NOT_SET_ANYWHERE}"}, InputError, "NOT_SET_ANYWHERE is not set"),
            ("mongodb://h", InputError, "names no database"),
            ("mongodb:///d", InputError, "cannot be used"),
            ("mongo", InputError, "is not a store"),
            ("sqlite", None, ""),
        ],
    )
    def test_mistakes_are_explained(self, spec, error, what, tmp_path):
        if error is None:
            assert isinstance(open_store(spec, directory=tmp_path), JobStore)
            return
        with pytest.raises(error, match=what):
            open_store(spec, directory=tmp_path)


class TestFiles:
    def test_serialised_stores(self, tmp_path):
        dumpfn(JobStore(MemoryStore("x"), {"data": MemoryStore("y")}), tmp_path / "job.yaml")
        store = open_store("job.yaml", directory=tmp_path)
        assert store.docs_store.collection_name == "x"
        assert store.additional_stores["data"].collection_name == "y"
        dumpfn(MemoryStore("z"), tmp_path / "docs.json")
        assert open_store(tmp_path / "docs.json").docs_store.collection_name == "z"
        ours = open_store(SQLiteStore(tmp_path / "s.db", key="uuid").as_dict())
        assert ours.docs_store == SQLiteStore(tmp_path / "s.db")

    def test_jobflow_files(self, tmp_path):
        spec = {
            "docs_store": {"type": "MongoStore", "database": "d", "collection_name": "c"},
            "additional_stores": {"data": {"type": "MemoryStore"}},
        }
        for name, document in {"one.yaml": spec, "jobflow.yaml": {"JOB_STORE": spec}}.items():
            (tmp_path / name).write_text(yaml.safe_dump(document))
            store = open_store(str(tmp_path / name))
            assert store.docs_store.database == "d"
            assert isinstance(store.additional_stores["data"], MemoryStore)

    @pytest.mark.parametrize(
        "spec",
        [
            {"@module": "subprocess", "@class": "Popen", "args": ["touch", "/tmp/owned"]},
            {
                "@module": "maggma.stores",
                "@class": "MemoryStore",
                "x": {"@module": "os", "@callable": "system"},
            },
            {"@module": "jobflow", "@callable": "run_locally", "@class": "x"},
            {
                "@module": "maggma.stores",
                "@class": "MemoryStore",
                "x": [{"@module": "shutil", "@class": "rmtree"}],
            },
            {"@module": "maggmaevil", "@class": "Store"},
        ],
    )
    def test_only_trusted_classes_are_decoded(self, spec):
        with pytest.raises(InputError, match="may not name"):
            open_store(spec)

    def test_other_mistakes_in_files(self, tmp_path):
        for name, text, error, what in [
            ("a.yaml", "docs_store: {type: MongoStor}", UnknownKeyError, "did you mean 'MongoStore'"),
            ("b.yaml", "docs_store: {type: MemoryStore}\nsav: {}", UnknownKeyError, "did you mean 'save'"),
            ("c.yaml", "docs_store: {type: MongoStore, collection: d}", InputError, "cannot be made"),
            ("d.yaml", "- 1", InputError, "not a mapping of stores"),
            ("e.yaml", "a: [", InputError, "not YAML"),
            ("f.yaml", '{"@module": "maggma.stores", "@class": "Nothing"}', InputError, "not a Maggma store"),
            ("g.yaml", '{"@module": "maggma.stores", "@class": "MongoStore"}', InputError, "be decoded"),
        ]:  # fmt: skip
            (tmp_path / name).write_text(text)
            with pytest.raises(error, match=what):
                open_store(name, directory=tmp_path)
        with pytest.raises(InputError, match="cannot be read"):
            open_store("missing.yaml", directory=tmp_path)


class TestSecrets:
    def test_an_unreachable_server_is_named_without_the_password(self):
        store = open_store(f"{SECRET}?serverSelectionTimeoutMS=200")
        with pytest.raises(StoreError, match=r"127\.0\.0\.1:1") as caught:
            check_store(store)
        told = "".join(traceback.format_exception(caught.value))
        assert "mongodb://***@127.0.0.1:1/db" in told
        assert "p%40ss" not in told
        assert "anna" not in told

    @pytest.mark.parametrize(
        "uri", ["mongodb://anna:p%40ss@h", "mongodb://anna:p%40ss@/d", "mongo://anna:p%40ss@h/d"]
    )
    def test_malformed_uris_do_not_show_it(self, uri):
        with pytest.raises(InputError) as caught:
            open_store(uri)
        assert "p%40ss" not in "".join(traceback.format_exception(caught.value))

    def test_validation_errors_do_not_show_values(self):
        secret = "hunter" + "2"
        with pytest.raises(InputError) as caught:
            open_store({"type": "mongo", "database": "d", "password": {"x": secret}})
        assert secret not in "".join(traceback.format_exception(caught.value))

    def test_redact(self):
        assert redact("at mongodb+srv://u:p@ss@h/d, failed") == "at mongodb+srv://***@h/d, failed"
        assert redact("mongodb://h/d and a@b") == "mongodb://h/d and a@b"
