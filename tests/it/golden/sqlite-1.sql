PRAGMA application_id = 1347646561;
PRAGMA user_version = 1;
CREATE TABLE "pstate" (
    space TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    UNIQUE (space, key)
);
INSERT INTO pstate VALUES ('default', 'base_card:spanish-000000', '{"$v":2,"back":"la palabra número 0, así de sencillo","front":"the word number 0","rank":0,"translations":{"es":{"$ref":"translation:spanish-000000-es"},"fr":{"$ref":"translation:spanish-000000-fr"},"ja":{"$ref":"translation:spanish-000000-ja"}}}');
INSERT INTO pstate VALUES ('default', 'base_card:spanish-000001', '{"$v":2,"back":"la palabra número 1, así de sencillo","front":"the word number 1","rank":1,"translations":{"es":{"$ref":"translation:spanish-000001-es"},"fr":{"$ref":"translation:spanish-000001-fr"},"ja":{"$ref":"translation:spanish-000001-ja"}}}');
INSERT INTO pstate VALUES ('default', 'base_deck:old', '{"$v":1,"cards":["spanish-000000","spanish-000001"],"metadata":"by hand","tags":"base, old","title":"spanish"}');
INSERT INTO pstate VALUES ('default', 'base_deck:spanish', '{"$v":2,"cards":{"spanish-000000":{"$ref":"base_card:spanish-000000"},"spanish-000001":{"$ref":"base_card:spanish-000001"}},"metadata":{},"name":"spanish","tags":["base"]}');
INSERT INTO pstate VALUES ('default', 'note:free form / 100%', '{"accents":"l''été à la plage","control":"tab\tnewline\n","emoji":"🍕","empty":{},"japanese":"単語カード","null":null,"numbers":[0,-1,18446744073709551615,0.1,1e+300,-0.0],"quote\"d":"back\\slash"}');
INSERT INTO pstate VALUES ('default', 'translation:spanish-000000-es', '{"$v":1,"lang":"es","text":"es 0: así, tschüß, 単語"}');
INSERT INTO pstate VALUES ('default', 'translation:spanish-000000-fr', '{"$v":1,"lang":"fr","text":"fr 0: así, tschüß, 単語"}');
INSERT INTO pstate VALUES ('default', 'translation:spanish-000000-ja', '{"$v":1,"lang":"ja","text":"ja 0: así, tschüß, 単語"}');
INSERT INTO pstate VALUES ('default', 'translation:spanish-000001-es', '{"$v":1,"lang":"es","text":"es 1: así, tschüß, 単語"}');
INSERT INTO pstate VALUES ('default', 'translation:spanish-000001-fr', '{"$v":1,"lang":"fr","text":"fr 1: así, tschüß, 単語"}');
INSERT INTO pstate VALUES ('default', 'translation:spanish-000001-ja', '{"$v":1,"lang":"ja","text":"ja 1: así, tschüß, 単語"}');
