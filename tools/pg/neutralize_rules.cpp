#include "tools/pg/neutralize_rules.h"

#include <array>
#include <cstdint>

namespace branchfs::pg {
namespace {

constexpr std::string_view kArchive = "a branch does not archive";
constexpr std::string_view kStandby = "a branch is nobody's standby";
constexpr std::string_view kPitr = "a branch is not recovered to a target";
constexpr std::string_view kLocalFile = "the path is outside the branch";
constexpr std::string_view kOwnTls = "the store's own certificate is used";

constexpr auto kRules = std::to_array<Rule>({
    {"It does not archive: its WAL must not land among production's.", "archive_mode", Enforce::value, "off",
     kArchive},
    {"", "archive_command", Enforce::value, "", kArchive, true},
    {"", "archive_library", Enforce::value, "", kArchive, false, 15},
    // A forced segment switch would cost 16 MiB of delta each time.
    {"", "archive_timeout", Enforce::value, "0", kArchive},

    {"It replicates from nobody and to nobody. Subscriptions stay quiet without workers.", "primary_conninfo",
     Enforce::value, "", kStandby, true},
    {"", "primary_slot_name", Enforce::value, "", kStandby},
    {"", "restore_command", Enforce::value, "", kStandby, true},
    {"", "archive_cleanup_command", Enforce::value, "", kStandby, true},
    {"", "recovery_end_command", Enforce::value, "", kStandby, true},
    {"", "recovery_target", Enforce::value, "", kPitr},
    {"", "recovery_target_name", Enforce::value, "", kPitr},
    {"", "recovery_target_time", Enforce::value, "", kPitr},
    {"", "recovery_target_xid", Enforce::value, "", kPitr},
    {"", "recovery_target_lsn", Enforce::value, "", kPitr},
    {"", "recovery_target_inclusive", Enforce::default_},
    {"", "recovery_target_timeline", Enforce::default_},
    {"", "recovery_target_action", Enforce::default_},
    {"", "recovery_min_apply_delay", Enforce::default_},
    {"", "promote_trigger_file", Enforce::value, "", kStandby, false, 0, 15},
    {"", "hot_standby_feedback", Enforce::default_},
    {"", "synchronous_standby_names", Enforce::value, "", "commits would wait for production's standbys"},
    {"", "synchronized_standby_slots", Enforce::value, "", "it would wait for production's standbys", false,
     17},
    {"", "sync_replication_slots", Enforce::value, "off", kStandby, false, 17},
    {"", "max_logical_replication_workers", Enforce::value, "0", "subscriptions never connect"},
    {"", "wal_keep_size", Enforce::value, "0", "there are no standbys to keep WAL for"},
    {"", "max_slot_wal_keep_size", Enforce::default_},

    {"Only this machine reaches it, with a password (SCRAM) over TLS, or through the private socket.",
     "listen_addresses", Enforce::value, "127.0.0.1, ::1", "loopback only"},
    {"", "bonjour", Enforce::value, "off", "a branch does not announce itself"},
    {"", "bonjour_name", Enforce::default_},
    {"", "unix_socket_permissions", Enforce::value, "0700"},
    {"", "unix_socket_group", Enforce::value, "", "the socket is private"},
    {"", "krb_server_keyfile", Enforce::value, "", kLocalFile},
    {"", "db_user_namespace", Enforce::value, "off", "", false, 0, 16},
    {"", "password_encryption", Enforce::value, "scram-sha-256"},
    {"", "oauth_validator_libraries", Enforce::default_, "", "SCRAM is the only method", false, 18},
    {"", "ssl_cert_file", Enforce::default_, "", kOwnTls},
    {"", "ssl_key_file", Enforce::default_, "", kOwnTls},
    {"", "ssl_ca_file", Enforce::value, "", kOwnTls},
    {"", "ssl_crl_file", Enforce::value, "", kOwnTls},
    {"", "ssl_crl_dir", Enforce::value, "", kOwnTls},
    {"", "ssl_dh_params_file", Enforce::value, "", kOwnTls},
    {"", "ssl_passphrase_command", Enforce::value, "", kOwnTls, true},
    {"", "ssl_passphrase_command_supports_reload", Enforce::default_},
    {"", "ssl", Enforce::default_},

    {"Its files are its own, its log goes to the tool (branchfs logs).", "data_directory", Enforce::default_,
     "", kLocalFile},
    {"", "hba_file", Enforce::default_, "", kLocalFile},
    {"", "ident_file", Enforce::default_, "", kLocalFile},
    {"", "external_pid_file", Enforce::value, "", kLocalFile},
    {"", "stats_temp_directory", Enforce::default_, "", kLocalFile},
    {"", "dynamic_library_path", Enforce::default_, "", kLocalFile},
    {"", "extension_control_path", Enforce::default_, "", kLocalFile},
    {"", "extension_destdir", Enforce::default_, "", kLocalFile},
    {"", "log_directory", Enforce::default_, "", kLocalFile},
    {"", "logging_collector", Enforce::value, "off"},
    {"", "log_destination", Enforce::value, "stderr"},

    {"It starts on a machine smaller than production's.", "huge_pages", Enforce::value, "try"},
    {"", "huge_page_size", Enforce::default_},
    {"", "min_dynamic_shared_memory", Enforce::default_},
    {"", "wal_buffers", Enforce::default_},
    {"", "max_stack_depth", Enforce::default_},
    {"", "shared_memory_type", Enforce::default_},
    {"", "dynamic_shared_memory_type", Enforce::default_},
    {"", "io_method", Enforce::default_},

    {"On a copy-on-write filesystem: a recycled segment rewrites blocks that the parent still holds, and a\n"
     "# zero-filled one is written twice. syncfs gives no durability on a FUSE mount.",
     "wal_recycle", Enforce::value, "off"},
    {"", "wal_init_zero", Enforce::value, "off"},
    {"", "recovery_init_sync_method", Enforce::value, "fsync"},
});

constexpr std::string_view kConnectsOut = "it connects to other servers";
constexpr std::string_view kJobs = "its jobs do not run in a branch";

constexpr auto kSchedulers = std::to_array<Scheduler>({
    // Loaded but idle where a setting allows it: their SQL functions refuse to work when not preloaded.
    {"pg_cron", "cron.launch_active_jobs", "off", kJobs},
    {"timescaledb", "timescaledb.max_background_workers", "0", kJobs},
    {"pg_squeeze", "squeeze.worker_autostart", "", kJobs},
    {"powa", "powa.frequency", "-1", "it takes no snapshots in a branch"},
    {"pg_prewarm", "pg_prewarm.autoprewarm", "off", "a branch loads only what it needs"},
    {"pg_partman_bgw", "", "", kJobs},
    {"pg_task", "", "", kJobs},
    {"worker_spi", "", "", kJobs},
    {"vectorize", "", "", kConnectsOut},
    {"pg_net", "", "", kConnectsOut},
    {"pglogical", "", "", kConnectsOut},
    {"spock", "", "", kConnectsOut},
    {"bdr", "", "", kConnectsOut},
    {"citus", "", "", kConnectsOut},
    {"pgautofailover", "", "", kConnectsOut},
    {"pg_failover_slots", "", "", kConnectsOut},
});

}  // namespace

std::span<const Rule> neutralize_rules() { return kRules; }
std::span<const Scheduler> known_schedulers() { return kSchedulers; }

}  // namespace branchfs::pg
