package dev.varve.crd;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Max;
import io.fabric8.generator.annotation.Min;
import io.fabric8.generator.annotation.Pattern;
import io.fabric8.generator.annotation.Required;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import org.jspecify.annotations.Nullable;

/** A running primary. */
@ValidationRule(
    value =
        "!has(self.retainedWalAction) || self.retainedWalAction != 'DropSlot' ||"
            + " has(self.maxRetainedWal)",
    message =
        "retainedWalAction DropSlot needs a bound: say in maxRetainedWal how much WAL is too much")
@ValidationRule(
    value = "has(self.slot) == has(oldSelf.slot) && (!has(self.slot) || self.slot == oldSelf.slot)",
    message =
        "slot is fixed once set, the old one would keep WAL for ever: delete the Timeline and create"
            + " it again")
public record PrimarySource(
    @JsonProperty
        @JsonPropertyDescription(
            "The primary's host name or address. A name without a dot is a Service in the Timeline's"
                + " namespace.")
        @Required
        @Size(min = 1, max = 253)
        @ValidationRule(
            value = "self.matches('" + Syntax.HOST + "')",
            message =
                "host is a host name or an IP address and nothing else: leave out scheme, user,"
                    + " password, brackets and blanks, and write the port into port")
        String host,
    @JsonProperty
        @JsonPropertyDescription("The primary's port.")
        @Default("5432")
        @Min(1)
        @Max(65535)
        Integer port,
    @JsonProperty
        @JsonPropertyDescription(
            "A role with LOGIN and REPLICATION; pg_hba.conf must let it in from the pageservers, for"
                + " the database and for replication.")
        @Required
        @Size(min = 1, max = 63)
        @ValidationRule(
            value =
                "self.matches(r'"
                    + Syntax.IDENTIFIER
                    + "') && bytes(self).size() <= "
                    + Syntax.MAX_IDENTIFIER_BYTES,
            message = "user is the name of a role: at most 63 bytes without control characters")
        String user,
    @JsonProperty
        @JsonPropertyDescription(
            "The Secret with the role's password. Left out: pageservers send none, which works"
                + " where the primary asks for none.")
        @Nullable SecretKey passwordSecret,
    @JsonProperty
        @JsonPropertyDescription(
            "A database of the cluster that the role may connect to. Pageservers ask there what"
                + " the replication protocol does not tell.")
        @Default("postgres")
        @Size(min = 1, max = 63)
        @ValidationRule(
            value =
                "self.matches(r'"
                    + Syntax.IDENTIFIER
                    + "') && bytes(self).size() <= "
                    + Syntax.MAX_IDENTIFIER_BYTES,
            message =
                "database is the name of a database: at most 63 bytes without control characters")
        String database,
    @JsonProperty
        @JsonPropertyDescription(
            "libpq's sslmode: disable, prefer, require, verify-ca or verify-full. The last two"
                + " verify the primary's certificate with the root certificates that the"
                + " pageservers are configured with.")
        @Default("prefer")
        SslMode sslMode,
    @JsonProperty
        @JsonPropertyDescription(
            "The replication slot's name, which must be free or one of this timeline. Left out: one"
                + " that no other Timeline has, see status.slot. Fixed once set.")
        @Pattern(Syntax.SLOT)
        @Nullable String slot,
    @JsonProperty
        @JsonPropertyDescription(
            "true: the primary's synchronous_standby_names may count the pageservers, and a"
                + " commit that waits for one waits until the object store has its WAL. false: no"
                + " commit waits for a pageserver, whatever synchronous_standby_names says.")
        @Default("false")
        @Nullable Boolean synchronous,
    @JsonProperty
        @JsonPropertyDescription(
            "The most WAL that the slot may make the primary keep while a pageserver runs, such"
                + " as 50Gi. Choose more than the primary's max_wal_size. Left out, and while all"
                + " pageservers are away: the primary's max_slot_wal_keep_size is the only bound.")
        @Pattern(Syntax.WAL_SIZE)
        @Nullable String maxRetainedWal,
    @JsonProperty
        @JsonPropertyDescription(
            "What happens beyond maxRetainedWal. Retain: the primary keeps the WAL, and the"
                + " status says so. DropSlot: the pageserver drops the slot and receives nothing"
                + " more; what it received stays readable.")
        @Default("Retain")
        @Nullable RetainedWalAction retainedWalAction) {}
