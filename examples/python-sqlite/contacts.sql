-- Sample contacts. The triggers stamp every change, so that no program can forget it.
CREATE TABLE contacts (
  id INTEGER PRIMARY KEY,
  name TEXT,
  company TEXT,
  phone TEXT,
  mobile TEXT,
  email TEXT,
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
);
CREATE INDEX contacts_by_change ON contacts (updated_at, id);
CREATE TRIGGER contacts_stamp AFTER UPDATE OF name, company, phone, mobile, email ON contacts BEGIN
  UPDATE contacts SET updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE id = NEW.id;
END;

-- 2,000 contacts; every 40 were changed in one moment, as by an import.
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
INSERT INTO contacts (id, name, company, phone, mobile, email, updated_at)
SELECT i, CASE WHEN i % 97 = 0 THEN NULL ELSE 'Zoë Müller ' || i END,
       CASE WHEN i % 3 = 0 THEN 'Søn & Co. ' || (i % 50) END,
       '+1415555' || substr('0000' || i, -4),
       CASE WHEN i % 5 = 0 THEN '+49151' || substr('0000000' || i, -8) END,
       CASE WHEN i % 2 = 0 THEN 'contact' || i || '@example.com' END,
       strftime('%Y-%m-%d %H:%M:%f', '2024-03-01', '+' || (i / 40) || ' minutes')
FROM n;
