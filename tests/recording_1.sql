-- A recording that an early program of schema 1 wrote (commit e607376), as SQL: what its
-- tables, rows and sums have to be for as long as a box may have one. Never made anew.
PRAGMA application_id = 1162039365;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'edge','001','2026-11-23 14:08:10.047727+00:00');
CREATE TABLE "chunks" (
   "id" INTEGER PRIMARY KEY,
   "segment" INTEGER,
   "start" INTEGER,
   "last" INTEGER,
   "period_ns" REAL,
   "uncertainty_ns" INTEGER,
   "samples" INTEGER,
   "codes" TEXT,
   "counts" BLOB,
   "offsets_us" BLOB,
   "reasons" TEXT,
   "crc" INTEGER
) STRICT;
INSERT INTO "chunks" VALUES(1,1,1700000000000000000,1700000000004000000,2000000.0,500000,3,'eb',X'000000008000807FFFFF7FFF0080',NULL,'["", "lead_off"]',936683651);
INSERT INTO "chunks" VALUES(2,2,1700000001000000000,1700000001040000000,0.0,0,2,'c',X'00127A0001000080',X'00000000409C0000','',3926957754);
CREATE TABLE "clock_readings" (
   "id" INTEGER PRIMARY KEY,
   "session" INTEGER,
   "box" INTEGER,
   "utc" INTEGER,
   "synchronised" INTEGER,
   "step_ns" INTEGER,
   "crc" INTEGER,
   "lasting" INTEGER
) STRICT;
INSERT INTO "clock_readings" VALUES(1,1,1700000001000000000,1700000000500000000,1,-250000,226075633,1);
CREATE TABLE "events" (
   "id" INTEGER PRIMARY KEY,
   "began" INTEGER,
   "ended" INTEGER,
   "kind" TEXT,
   "stream" TEXT,
   "cause" TEXT,
   "detail" TEXT,
   "crc" INTEGER
) STRICT;
INSERT INTO "events" VALUES(1,1700000000000000000,1700000001000000000,'gap','ecg','The cable was pulled, “again”.','{"gr\u00f6\u00dfe": 0.5, "l": [1]}',3739597610);
INSERT INTO "events" VALUES(2,1700000000000000002,NULL,'marker','','turned','{"by": "anna"}',2521574587);
CREATE TABLE "marks" (
   "id" INTEGER PRIMARY KEY,
   "recorded_ns" INTEGER,
   "session" INTEGER,
   "chunks" INTEGER,
   "poses" INTEGER,
   "vitals" INTEGER,
   "events" INTEGER,
   "clock_readings" INTEGER,
   "crc" INTEGER
) STRICT;
INSERT INTO "marks" VALUES(1,0,1,1,1,1,1,1,3212811739);
CREATE TABLE "pose_origins" (
   "id" INTEGER PRIMARY KEY,
   "stamp" TEXT,
   "source" TEXT,
   "rotation" INTEGER,
   "model" TEXT,
   "device" TEXT
) STRICT;
INSERT INTO "pose_origins" VALUES(1,'sensor','camera',90,'movenet.tflite','tpu');
INSERT INTO "pose_origins" VALUES(2,'given','upload',0,'movenet.tflite','cpu');
CREATE TABLE "poses" (
   "id" INTEGER PRIMARY KEY,
   "exposed" INTEGER,
   "uncertainty_ns" INTEGER,
   "origin" INTEGER,
   "state" TEXT,
   "keypoints" BLOB,
   "width" INTEGER,
   "height" INTEGER,
   "inference_ms" REAL,
   "picture" TEXT,
   "crc" INTEGER
) STRICT;
INSERT INTO "poses" VALUES(1,1700000000000000007,333,1,'pose',X'000000000000803E0000003F0000403F0000803F0000A03F0000C03F0000E03F0000004000001040000020400000304000004040000050400000604000007040000080400000884000009040000098400000A0400000A8400000B0400000B8400000C0400000C8400000D0400000D8400000E0400000E8400000F0400000F84000000041000004410000084100000C4100001041000014410000184100001C4100002041000024410000284100002C4100003041000034410000384100003C41000040410000444100004841',640,480,3.5,'',1852022481);
INSERT INTO "poses" VALUES(2,1700000001000000000,0,2,'absent',X'',320,240,4.0,'bed.jpg',3640280843);
CREATE TABLE "protected" (
   "id" INTEGER PRIMARY KEY,
   "begin" INTEGER,
   "until" INTEGER,
   "why" TEXT
) STRICT;
CREATE TABLE "segments" (
   "id" INTEGER PRIMARY KEY,
   "session" INTEGER,
   "source" TEXT,
   "board" TEXT,
   "leads" TEXT,
   "gain" TEXT,
   "baseline" TEXT,
   "sampling_rate_hz" REAL,
   "checked" INTEGER,
   "stamp" TEXT,
   "crc" INTEGER,
   "last_mark" INTEGER,
   "kept" INTEGER
) STRICT;
INSERT INTO "segments" VALUES(1,1,'serial','csv','["I", "II"]','[1000.0, 44739.25]','[0, -7]',500.0,1,'counter',1728997626,1,0);
INSERT INTO "segments" VALUES(2,1,'upload','','["I"]','[1000.0]','[0]',0.0,1,'given',426686513,1,0);
CREATE TABLE "sessions" (
   "id" INTEGER PRIMARY KEY,
   "boot_id" TEXT,
   "started" INTEGER,
   "offset_ns" INTEGER,
   "version" TEXT,
   "subject" TEXT,
   "configuration" TEXT,
   "crc" INTEGER
) STRICT;
INSERT INTO "sessions" VALUES(1,'boot',1700000000000000000,5,'0.1.0','bed-1','{"ecg": {"source": "serial"}}',3620242453);
CREATE TABLE "totals" (
   "id" INTEGER PRIMARY KEY,
   "batch" INTEGER,
   "samples" INTEGER,
   "chunks" INTEGER,
   "poses" INTEGER,
   "vitals" INTEGER,
   "events" INTEGER,
   "clock_readings" INTEGER,
   "sessions" INTEGER,
   "segments" INTEGER,
   "last_box" INTEGER,
   "recorded_ns" INTEGER,
   "longest_chunk_ns" INTEGER,
   "longest_event_ns" INTEGER,
   "instants" INTEGER,
   "posted" INTEGER,
   "crc" INTEGER
) STRICT;
INSERT INTO "totals" VALUES(1,1,8,2,2,2,2,1,1,2,1700000001000000000,1000000000,40000000,1000000000,5,2,1841866186);
CREATE TABLE "vitals" (
   "id" INTEGER PRIMARY KEY,
   "sampled" INTEGER,
   "name" TEXT,
   "value" REAL,
   "reason" TEXT,
   "source" TEXT,
   "derived" INTEGER,
   "crc" INTEGER
) STRICT;
INSERT INTO "vitals" VALUES(1,1700000000000000003,'heart_rate',61.5,'','serial',1,4050115112);
INSERT INTO "vitals" VALUES(2,1700000000000000004,'oxygen_saturation',NULL,'probe_off','serial',0,1789353328);
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX "idx_chunks_start"
    ON "chunks" ("start");
CREATE INDEX "idx_poses_exposed"
    ON "poses" ("exposed");
CREATE INDEX "idx_vitals_sampled"
    ON "vitals" ("sampled");
CREATE INDEX "idx_vitals_name_sampled"
    ON "vitals" ("name", "sampled");
CREATE INDEX "idx_events_began"
    ON "events" ("began");
CREATE INDEX "idx_segments_last_mark"
    ON "segments" ("last_mark");
COMMIT;
