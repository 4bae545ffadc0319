#!/bin/bash
# Prints SQL that makes and fills the tables of TPC-H: ./tpch_load.sh PERCENT, of scale 1.
#
# The data is arithmetic on row numbers, so every database that runs the text has the same rows; the
# distributions are those the queries need, not those of the benchmark's own generator. Statements are
# kept small: no transaction writes more than 20,000 rows.
set -euo pipefail

percent=${1:-10}
parts=$((2000 * percent)) suppliers=$((100 * percent)) customers=$((1500 * percent))
orders=$((15000 * percent))

cat <<'SQL'
create table region (r_regionkey int primary key, r_name char(25), r_comment varchar(152));
create table nation (n_nationkey int primary key, n_name char(25), n_regionkey int, n_comment varchar(152));
create table part (p_partkey int primary key, p_name varchar(55), p_mfgr char(25), p_brand char(10),
    p_type varchar(25), p_size int, p_container char(10), p_retailprice numeric(15,2), p_comment varchar(23));
create table supplier (s_suppkey int primary key, s_name char(25), s_address varchar(40), s_nationkey int,
    s_phone char(15), s_acctbal numeric(15,2), s_comment varchar(101));
create table partsupp (ps_partkey int, ps_suppkey int, ps_availqty int, ps_supplycost numeric(15,2),
    ps_comment varchar(199), primary key (ps_partkey, ps_suppkey));
create table customer (c_custkey int primary key, c_name varchar(25), c_address varchar(40), c_nationkey int,
    c_phone char(15), c_acctbal numeric(15,2), c_mktsegment char(10), c_comment varchar(117));
create table orders (o_orderkey int primary key, o_custkey int, o_orderstatus char(1),
    o_totalprice numeric(15,2), o_orderdate date, o_orderpriority char(15), o_clerk char(15),
    o_shippriority int, o_comment varchar(79));
create table lineitem (l_orderkey int, l_partkey int, l_suppkey int, l_linenumber int,
    l_quantity numeric(15,2), l_extendedprice numeric(15,2), l_discount numeric(15,2), l_tax numeric(15,2),
    l_returnflag char(1), l_linestatus char(1), l_shipdate date, l_commitdate date, l_receiptdate date,
    l_shipinstruct char(25), l_shipmode char(10), l_comment varchar(44),
    primary key (l_orderkey, l_linenumber));
insert into region values (0,'AFRICA','a'),(1,'AMERICA','b'),(2,'ASIA','c'),(3,'EUROPE','d'),(4,'MIDDLE EAST','e');
insert into nation values (0,'ALGERIA',0,''),(1,'ARGENTINA',1,''),(2,'BRAZIL',1,''),(3,'CANADA',1,''),
    (4,'EGYPT',4,''),(5,'ETHIOPIA',0,''),(6,'FRANCE',3,''),(7,'GERMANY',3,''),(8,'INDIA',2,''),
    (9,'INDONESIA',2,''),(10,'IRAN',4,''),(11,'IRAQ',4,''),(12,'JAPAN',2,''),(13,'JORDAN',4,''),
    (14,'KENYA',0,''),(15,'MOROCCO',0,''),(16,'MOZAMBIQUE',0,''),(17,'PERU',1,''),(18,'CHINA',2,''),
    (19,'ROMANIA',3,''),(20,'SAUDI ARABIA',4,''),(21,'VIETNAM',2,''),(22,'RUSSIA',3,''),
    (23,'UNITED KINGDOM',3,''),(24,'UNITED STATES',1,'');
SQL

# Prints a statement for each chunk of rows 1 to $1; $3 is a query over a series that has $first and $last.
chunks()
{
    local count=$1 size=$2 template=$3 first
    for ((first = 1; first <= count; first += size)); do
        local last=$((first + size - 1))
        ((last > count)) && last=$count
        local text=${template//FIRST/$first}
        echo "${text//LAST/$last};"
    done
}

chunks $suppliers 10000 "insert into supplier select g, 'Supplier#' || (100000000 + g), 'address ' || g * 7 % 1013,
    g * 31 % 25, (10 + g * 31 % 25) || '-' || (100 + g * 17 % 900) || '-' || (1000 + g * 13 % 9000),
    (g * 7919 % 1100000) / 100.0 - 1000, case when g % 57 = 0 then 'sly Customer slow Complaints'
    else 'quiet deposits ' || g % 101 end from generate_series(FIRST, LAST) g"
chunks $parts 10000 "insert into part select g,
    (case g % 7 when 0 then 'green' when 1 then 'forest' when 2 then 'blue' when 3 then 'ivory' when 4 then 'linen'
    when 5 then 'red' else 'tan' end) || ' ' || (case g * 11 % 5 when 0 then 'almond' when 1 then 'green'
    when 2 then 'navy' when 3 then 'puff' else 'snow' end), 'Manufacturer#' || (1 + g % 5),
    'Brand#' || (1 + g % 5) || (1 + g / 5 % 5), (case g * 13 % 6 when 0 then 'STANDARD' when 1 then 'SMALL'
    when 2 then 'MEDIUM' when 3 then 'LARGE' when 4 then 'ECONOMY' else 'PROMO' end) || ' ' ||
    (case g / 6 % 5 when 0 then 'ANODIZED' when 1 then 'BURNISHED' when 2 then 'PLATED' when 3 then 'POLISHED'
    else 'BRUSHED' end) || ' ' || (case g / 30 % 5 when 0 then 'TIN' when 1 then 'NICKEL' when 2 then 'BRASS'
    when 3 then 'STEEL' else 'COPPER' end), 1 + g * 37 % 50, (case g * 3 % 5 when 0 then 'SM' when 1 then 'LG'
    when 2 then 'MED' when 3 then 'JUMBO' else 'WRAP' end) || ' ' || (case g / 5 % 8 when 0 then 'CASE'
    when 1 then 'BOX' when 2 then 'BAG' when 3 then 'JAR' when 4 then 'PKG' when 5 then 'PACK' when 6 then 'CAN'
    else 'DRUM' end), 900 + (g * 7 % 20001) / 10.0, 'part ' || g % 997 from generate_series(FIRST, LAST) g"
chunks $parts 5000 "insert into partsupp select g, 1 + (g + s * ($suppliers / 4 + 1)) % $suppliers, 1 + (g * 131 + s * 977) % 9999,
    1 + ((g * 577 + s * 3571) % 99900) / 100.0, 'supply ' || (g + s) % 499
    from generate_series(FIRST, LAST) g, generate_series(0, 3) s"
chunks $customers 10000 "insert into customer select g, 'Customer#' || (100000000 + g), 'street ' || g * 11 % 2003, g * 17 % 25,
    (10 + g * 17 % 25) || '-' || (100 + g * 29 % 900) || '-' || (1000 + g * 23 % 9000),
    (g * 6007 % 1100000) / 100.0 - 1000, case g * 7 % 5 when 0 then 'AUTOMOBILE' when 1 then 'BUILDING'
    when 2 then 'FURNITURE' when 3 then 'MACHINERY' else 'HOUSEHOLD' end, 'note ' || g % 307
    from generate_series(FIRST, LAST) g"
chunks $orders 20000 "insert into orders select g, 1 + (g::bigint * 7919 % $customers)::int / 3 * 3 % $customers,
    case g % 4 when 0 then 'F' when 1 then 'O' when 2 then 'F' else 'P' end, 1000 + (g::bigint * 104729 % 45000000) / 100.0,
    date '1992-01-01' + (g::bigint * 7927 % 2406)::int, case g * 3 % 5 when 0 then '1-URGENT' when 1 then '2-HIGH'
    when 2 then '3-MEDIUM' when 3 then '4-NOT SPECIFIED' else '5-LOW' end, 'Clerk#' || (1000000 + g % 1000), 0,
    case when g % 23 = 0 then 'some special packages requests' else 'regular ' || g % 89 end
    from generate_series(FIRST, LAST) g"
chunks $orders 5000 "insert into lineitem select o, p, 1 + (p + s * ($suppliers / 4 + 1)) % $suppliers, n, q, (q * (900 + p * 7 % 20001 / 10.0))::numeric(15,2),
    (x % 11) / 100.0, (x % 9) / 100.0, case when d + r <= date '1995-06-17' then case x % 2 when 0 then 'R' else 'A' end
    else 'N' end, case when d > date '1995-06-17' then 'O' else 'F' end, d, d + (x % 61 - 30)::int, d + r,
    case x % 4 when 0 then 'DELIVER IN PERSON' when 1 then 'COLLECT COD' when 2 then 'NONE' else 'TAKE BACK RETURN' end,
    case x % 7 when 0 then 'REG AIR' when 1 then 'AIR' when 2 then 'RAIL' when 3 then 'SHIP' when 4 then 'TRUCK'
    when 5 then 'MAIL' else 'FOB' end, 'line ' || x % 211 from (
    select o, n, (1 + h % $parts)::int p, (h / 7 % 4)::int s, (1 + h / 11 % 50)::int q, h / 3 % 100003 x,
    date '1992-01-01' + (o::bigint * 7927 % 2406)::int + (1 + h / 5 % 121)::int d, (1 + h / 13 % 30)::int r from (
    select o, n, (o::bigint * 7 + n) * 1000003 % 998244353 h from generate_series(FIRST, LAST) o,
    generate_series(1, 7) n where n <= 1 + o % 7) a) b"
echo "analyze;"
