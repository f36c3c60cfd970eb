-- The table that bridge-sqlite.yaml and, with other types, bridge-postgres.yaml read.
CREATE TABLE customers (
  id         INTEGER PRIMARY KEY,
  first_name TEXT NOT NULL,
  last_name  TEXT NOT NULL,
  company    TEXT,
  email      TEXT,
  email2     TEXT,
  phone      TEXT,
  mobile     TEXT,
  plan       TEXT,
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')), -- UTC
  deleted_at TEXT
);

-- What the bridge reads by: without it every page looks at every row.
CREATE INDEX customers_updated ON customers (updated_at, id);

-- An application that sets updated_at itself needs no trigger.
CREATE TRIGGER customers_touch AFTER UPDATE ON customers WHEN new.updated_at = old.updated_at BEGIN
  UPDATE customers SET updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE id = new.id;
END;

INSERT INTO customers (id, first_name, last_name, company, email, phone, mobile, plan, updated_at, deleted_at) VALUES
  (1, 'Grace', 'Miller', 'Example Corp.', 'grace@example.com', '(212) 555-0187', NULL, 'gold', '2024-01-05 10:00:00.000', NULL),
  (2, 'Luis', 'Ortega', NULL, 'luis@example.org', '+52 55 5512 3456', NULL, 'free', '2024-01-06 10:00:00.000', NULL),
  (3, 'Mei', 'Tanaka', 'Tanaka KK', NULL, '+81 3-1234-5678', '+81 90-1234-5678', 'gold', '2024-01-06 10:00:00.000', NULL),
  (4, 'Noah', 'Schmidt', NULL, 'noah@example.net', '(415) 555-2671', NULL, NULL, '2024-02-11 07:30:00.000', '2024-02-11 07:30:00.000');
