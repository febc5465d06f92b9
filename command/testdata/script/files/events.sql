CREATE TABLE events (id integer NOT NULL PRIMARY KEY, status varchar(10) NOT NULL);
INSERT INTO events VALUES
(1, 'open'), (2, 'open'), (3, 'done'), (4, 'open'), (5, 'open'), (6, 'done'), (7, 'open'), (8, 'open'), (9, 'done'), (10, 'open'),
(11, 'open'), (12, 'done'), (13, 'open'), (14, 'open'), (15, 'done'), (16, 'open'), (17, 'open'), (18, 'done'), (19, 'open'), (20, 'open'),
(21, 'done'), (22, 'open'), (23, 'open'), (24, 'done'), (25, 'open'), (26, 'open'), (27, 'done'), (28, 'open'), (29, 'open'), (30, 'done');
