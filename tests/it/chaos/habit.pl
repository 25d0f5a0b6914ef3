#!/usr/bin/perl
# A service with the bad habit that its first argument names. Every process it forks writes the
# leader's number where `/proc/PID/comm` shows it, so that a test sees whose it is.
use strict;
use warnings;
use POSIX ();
use IO::Socket::INET;

my ($habit, @words) = @ARGV;
my $leader = $$;

sub pause { select undef, undef, undef, $_[0] }
sub forever { pause 60 while 1 }
sub deaf { $SIG{$_} = 'IGNORE' for qw(TERM INT HUP) }

# A line in one write: a kill comes before or after it.
sub line { syswrite STDOUT, "$_[0]\n" }

sub child(&) {
    my $pid = fork;
    defined $pid or exit 70;
    return $pid if $pid;
    if (open my $comm, '>', '/proc/self/comm') {
        print $comm "of $leader";
        close $comm;
    }
    $_[0]->();
    POSIX::_exit(0);
}

my %habits = (
    # Leaves its session through a double fork, and is deaf there.
    escapes => sub {
        my $middle = child { POSIX::setsid(); child { deaf; forever } };
        waitpid $middle, 0;
        line 'there';
        forever;
    },
    deaf => sub { deaf; line 'there'; forever },
    # Closes what its log is read from, and goes on.
    mute => sub { close STDOUT; close STDERR; forever },
    # Ends while a child holds its output open.
    holder => sub { child { forever }; line 'there'; pause 2; exit 3 },
    storm => sub {
        for my $n (1 .. 30) {
            child { setpgrp if $n % 2; deaf if $n % 3; forever };
        }
        line 'all there';
        forever;
    },
    crashes => sub { line 'no'; exit 7 },
    late => sub { pause 0.4; line 'late but there'; forever },
    never => sub { line 'not yet'; forever },
    # Many lines, and a last one without an end.
    flood => sub {
        line "flood $$ $_ " . 'x' x 60 for 1 .. 3000;
        syswrite STDOUT, "tail $$";
        forever;
    },
    # Its children leave its process group and its session.
    regroups => sub {
        child { setpgrp; deaf; forever };
        child { POSIX::setsid(); deaf; forever };
        line 'there';
        forever;
    },
    # Waits for none of its children; some of them are somebody else's when they end.
    zombies => sub {
        child { } for 1 .. 10;
        child { child { pause 0.05 } } for 1 .. 5;
        line 'there';
        forever;
    },
    # Takes its port at every second start only.
    fickle => sub {
        my ($port, $count) = @words;
        my $starts = 0;
        if (open my $file, '<', $count) { $starts = <$file> // 0 }
        open my $file, '>', $count or exit 71;
        print $file $starts + 1;
        close $file;
        forever if $starts % 2;
        my $listener = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 5, ReuseAddr => 1
        ) or exit 72;
        while (1) { my $peer = $listener->accept; }
    },
    # Takes its time to end, and reloads.
    slow => sub {
        $SIG{HUP} = sub { line 'reloaded' };
        $SIG{TERM} = sub { pause 0.3; exit 0 };
        line 'there';
        forever;
    },
    # Works as it should; comes and goes with the profile.
    extra => sub { line 'there'; forever },
);
($habits{$habit} // sub { exit 64 })->();
