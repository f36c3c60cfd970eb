// Package gomysql is a second opinion of MySQL 8's dialect: the suite of kind mysql on go-mysql-server, another implementation of it. It is a
// module of its own, so that nobody who builds Contactbridge needs that server:
//
//	go -C internal/test/gomysql test ./...
//
// What go-mysql-server does not have, and the tests therefore cannot judge: InnoDB's own lists (SHOW ENGINE INNODB STATUS is no statement there, and
// information_schema.innodb_trx is empty), so that the source reads as a user without the privilege PROCESS does, with the overlap;
// writers that wait for each other, so that histories have one writer; numbers of syntax errors, and of errors that its parser returns,
// which the tests put right; plan as the name of a column, which they put in backticks; users. Nothing is said about speed, and a server of
// MySQL itself has not been asked.
package gomysql
