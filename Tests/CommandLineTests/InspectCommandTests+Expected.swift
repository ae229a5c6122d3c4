/// The texts that a person sees.
extension InspectCommandTests {
  static let expectedBackup = """
    backup on standard input
      kind                 clean shutdown
      Postgres version     15
      system identifier    7711321751215609471
      state                shut down
      catalog version      202209061
      last checkpoint      0/215ACF0
      import LSN           0/215ACF0
      end LSN              0/215AD68
      previous record LSN  0/215ACF0
      data checksums       on
      WAL segments         16.0 MiB
      Postgres timeline    2
      files                1,293 files, 41.3 MiB, from 1.4 MiB compressed
      relations            949 relations, 4 of them unlogged

    can be imported (pages were not checked)

      database    relations       size  name
      global             48  496.0 KiB  (shared)
      base/1            222    7.1 MiB  template1
      base/4            222    7.1 MiB  template0
      base/5            222    7.1 MiB  postgres
      base/16384        235   18.8 MiB  app

      largest relations       size  kind         name
      base/16384/16403     8.6 MiB  table        big_loaded
      base/16384/16386     1.3 MiB  table        loaded
      base/16384/16393     1.1 MiB  index        loaded_t_idx
      base/1/1255        800.0 KiB  table        pg_proc
      base/4/1255        800.0 KiB  table        pg_proc
      base/5/1255        800.0 KiB  table        pg_proc
      base/16384/1255    800.0 KiB  table        pg_proc
      base/1/2838        544.0 KiB  TOAST table  pg_toast_2618
      base/4/2838        544.0 KiB  TOAST table  pg_toast_2618
      base/5/2838        544.0 KiB  TOAST table  pg_toast_2618

      left out by an import          files       size  names
      caches                             4  503.4 KiB  base/1/pg_internal.init, base/16384/pg_internal.…
      configuration                      4   35.4 KiB  pg_hba.conf, pg_ident.conf, postgresql.auto.conf…
      files of the server process        2  100 bytes  current_logfiles, postmaster.opts
      state of running transactions      1    8.0 KiB  pg_subtrans/0000
      user files                         4    5.0 KiB  log, log/postgresql-2026-11-23_110647.log, log/p…
      write-ahead log                    1    0 bytes  pg_wal

    """

  static let expectedTimeline = """
      tenant                aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
      timeline              bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
      generation            1
      Postgres version      15
      index version         15
      disk_consistent_lsn   0/215AD68
      prev_record_lsn       0/215ACF0
      latest_gc_cutoff_lsn  0/215ACF0
      initdb_lsn            0/215ACF0
      relations             949 relations

      database    relations       size     stored  name
      global             48  496.0 KiB  497.9 KiB  (shared)
      base/1            222    7.1 MiB    7.1 MiB  template1
      base/4            222    7.1 MiB    7.1 MiB  template0
      base/5            222    7.1 MiB    7.1 MiB  postgres
      base/16384        235   18.8 MiB   18.8 MiB  app

      largest relations       size     stored  kind         name
      base/16384/16403     8.6 MiB    8.6 MiB  table        big_loaded
      base/16384/16386     1.3 MiB    1.3 MiB  table        loaded
      base/16384/16393     1.1 MiB    1.2 MiB  index        loaded_t_idx
      base/1/1255        800.0 KiB  801.6 KiB  table        pg_proc
      base/4/1255        800.0 KiB  801.6 KiB  table        pg_proc
      base/5/1255        800.0 KiB  801.6 KiB  table        pg_proc
      base/16384/1255    800.0 KiB  801.6 KiB  table        pg_proc
      base/1/2838        544.0 KiB  545.1 KiB  TOAST table  pg_toast_2618
      base/4/2838        544.0 KiB  545.1 KiB  TOAST table  pg_toast_2618
      base/5/2838        544.0 KiB  545.1 KiB  TOAST table  pg_toast_2618

      #  layer  LSN                  size  values  ratio  keys
      1  L0     0/10–0/18        20.2 MiB   2,570   1.0×  all keys
      2  L0     0/18–0/20        12.1 MiB   1,539   1.0×  all keys
      3  L0     0/20–0/215AD69  208.0 KiB   1,283   0.9×  all keys
      4  image  0/FFFF8           4.0 MiB     510   1.0×  base/16384/16403 blocks 0–509
      5  image  0/FFFF8           4.0 MiB     510   1.0×  base/16384/16403 blocks 510–1019
      6  image  0/FFFF8         664.0 KiB      80   1.0×  base/16384/16403 blocks 1020–1099

      total  layers      size  values  WAL records     plain    stored  ratio
      L0          3  32.5 MiB   5,392            0  32.2 MiB  32.3 MiB   1.0×
      image       3   8.7 MiB   1,100            0   8.6 MiB   8.6 MiB   1.0×

    """
}
