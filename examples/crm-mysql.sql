-- The table that bridge-mysql.yaml reads.
CREATE TABLE customers (
  id         int unsigned AUTO_INCREMENT PRIMARY KEY,
  first_name varchar(100) NOT NULL,
  last_name  varchar(100) NOT NULL,
  company    varchar(100),
  email      varchar(190),
  email2     varchar(190),
  phone      varchar(40),
  mobile     varchar(40),
  plan       varchar(40),
  updated_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  deleted_at timestamp NULL,
  -- What the bridge reads by: without it every page looks at every row.
  INDEX customers_updated (updated_at, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

INSERT INTO customers (id, first_name, last_name, company, email, phone, mobile, plan, updated_at, deleted_at) VALUES
  (1, 'Grace', 'Miller', 'Example Corp.', 'grace@example.com', '(212) 555-0187', NULL, 'gold', '2024-01-05 10:00:00', NULL),
  (2, 'Luis', 'Ortega', NULL, 'luis@example.org', '+52 55 5512 3456', NULL, 'free', '2024-01-06 10:00:00', NULL),
  (3, 'Mei', 'Tanaka', 'Tanaka KK', NULL, '+81 3-1234-5678', '+81 90-1234-5678', 'gold', '2024-01-06 10:00:00', NULL),
  (4, 'Noah', 'Schmidt', NULL, 'noah@example.net', '(415) 555-2671', NULL, NULL, '2024-02-11 07:30:00', '2024-02-11 07:30:00');
