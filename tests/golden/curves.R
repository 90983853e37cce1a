# R's answers on curves over months, trends and resampling.
#
#   Rscript curves.R [folder]
#
# writes data_curves.csv, data_multipliers.csv, data_replicates.csv, data_draws.csv and answers_*.csv beside them, with 17
# digits, and versions_curves.csv. The Python tests read the same rows; they need no R.
#
# Needs the packages sandwich, boot and survival.

suppressPackageStartupMessages({
  library(sandwich)
  library(boot)
  library(survival)
})

arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."
digits <- function(x) ifelse(is.na(x), "", formatC(x, digits = 17, format = "g", width = 1))
write_data <- function(rows, name) write.csv(rows, file.path(folder, name), row.names = FALSE, quote = FALSE, na = "")
write_answers <- function(rows, name) {
  for (column in names(rows)) if (is.double(rows[[column]])) rows[[column]] <- digits(rows[[column]])
  write_data(rows, name)
}

# ---------------------------------------------------------------- people by month

# 150 people in two arms and 40 sites of uneven size, 12 months; work depends on the site, the arm and the person. Some die,
# some months are not observed, everybody has whole copies and a probability weight.
set.seed(43)
n <- 150
people <- data.frame(
  person_id = 1:n, arm = ifelse(runif(n) < 0.5, "ips", "control"), site = sample(1:40, n, TRUE, prob = (1:40)^0.5),
  copies = sample(1:3, n, TRUE), weight = round(runif(n, 0.5, 3), 3)
)
level <- rnorm(n) + 0.4 * rnorm(40)[people$site] + ifelse(people$arm == "ips", 0.2, -0.5)
dies <- sample(c(rep(99L, 19), 4:10), n, TRUE)
rows <- do.call(rbind, lapply(1:12, function(m) {
  y <- as.integer(level + rnorm(n, 0, 0.6) + ifelse(people$arm == "ips", 0.06, 0.02) * m > 0.4)
  dead <- dies < m
  y[dead | runif(n) < 0.04] <- NA
  cbind(people, month = m, works = y, dead = as.integer(dead))
}))
rows <- rows[order(rows$person_id, rows$month), ]
write_data(rows, "data_curves.csv")

answers <- list()
add <- function(case, measure, who, month, estimate, std_error, n = NA) {
  answers[[length(answers) + 1]] <<- data.frame(case = case, measure = measure, who = who, month = as.integer(month),
    estimate = as.numeric(estimate), std_error = as.numeric(std_error), n = as.integer(n))
}
contrast <- "ips - control"
arms <- c("control", "ips")
use <- function(case, rows) {
  if (case == "copies") rows <- rows[rep(seq_len(nrow(rows)), rows$copies), ]
  rows$w <- if (case == "weighted") rows$weight else 1
  rows
}
# the error of coefficient `which`: clusters with the finite-sample factors of vcovCL, or none
robust <- function(fit, which, cluster, type) {
  v <- if (type == "CR1") vcovCL(fit, cluster = cluster) else vcovCL(fit, cluster = cluster, type = "HC0", cadjust = FALSE)
  sqrt(v[which, which])
}

# ---------------------------------------------------------------- rates by month

for (case in c("plain", "copies", "weighted", "sites")) {
  for (m in c(1, 6, 12)) {
    d <- use(case, rows[rows$month == m & !is.na(rows$works), ])
    d$own <- seq_len(nrow(d))
    d$treated <- as.integer(d$arm == "ips")
    type <- if (case == "sites") "CR1" else "CR0"
    for (arm in arms) {
      own <- d[d$arm == arm, ]
      fit <- lm(works ~ 1, own, weights = w)
      add(case, "rate", arm, m, coef(fit)[1], robust(fit, 1, if (case == "sites") own$site else own$own, type), nrow(own))
    }
    fit <- lm(works ~ treated, d, weights = w)
    add(case, "risk_difference", contrast, m, coef(fit)[2], robust(fit, 2, if (case == "sites") d$site else d$own, type), nrow(d))
  }
}

# ---------------------------------------------------------------- trends

for (case in c("plain", "copies", "weighted", "sites")) for (type in c("CR1", "CR0")) {
  d <- rows[rows$month >= 3 & !is.na(rows$works), ]
  d$copy <- 1
  if (case == "copies") {
    again <- rep(seq_len(nrow(d)), d$copies)
    d <- d[again, ]
    d$copy <- ave(seq_len(nrow(d)), again, FUN = seq_along)
  }
  d$w <- if (case == "weighted") d$weight else 1
  d$who <- if (case == "sites") d$site else paste(d$person_id, d$copy)
  d$year <- d$month / 12
  d$treated <- as.integer(d$arm == "ips")
  for (arm in arms) {
    own <- d[d$arm == arm, ]
    fit <- lm(works ~ year, own, weights = w)
    add(paste(case, type), "slope", arm, NA, coef(fit)[2], robust(fit, 2, own$who, type))
  }
  fit <- lm(works ~ year * treated, d, weights = w)
  add(paste(case, type), "slope_difference", contrast, NA, coef(fit)[4], robust(fit, 4, d$who, type))
  first <- d[d$month == 3, ]
  last <- d[d$month == 12, ]
  both <- merge(first, last[, c("person_id", "copy", "works")], by = c("person_id", "copy"), suffixes = c("", "_end"))
  both$change <- both$works_end - both$works
  for (arm in arms) {
    own <- both[both$arm == arm, ]
    fit <- lm(change ~ 1, own, weights = w)
    add(paste(case, type), "change", arm, NA, coef(fit)[1], robust(fit, 1, own$who, type), nrow(own))
  }
  fit <- lm(change ~ treated, both, weights = w)
  add(paste(case, type), "change_difference", contrast, NA, coef(fit)[2], robust(fit, 2, both$who, type), nrow(both))
}

# ---------------------------------------------------------------- months in work

after <- rows
after$works[after$dead == 1] <- 0
wide <- reshape(after[, c("person_id", "month", "works")], idvar = "person_id", timevar = "month", direction = "wide")
y <- as.matrix(wide[, -1])
complete <- data.frame(people[match(wide$person_id, people$person_id), ], total = rowSums(y))
complete <- complete[!is.na(complete$total), ]
complete$treated <- as.integer(complete$arm == "ips")
for (arm in arms) {
  own <- complete$total[complete$arm == arm]
  add("exclude", "months_in_work", arm, NA, mean(own), sd(own) / sqrt(length(own)), length(own))
}
welch <- t.test(complete$total[complete$arm == "ips"], complete$total[complete$arm == "control"])
add("exclude", "months_in_work_difference", contrast, NA, -diff(welch$estimate), welch$stderr, nrow(complete))
fit <- lm(total ~ treated, complete)
add("exclude sites", "months_in_work_difference", contrast, NA, coef(fit)[2], robust(fit, 2, complete$site, "CR1"), nrow(complete))

# sum of the rates of those observed; a person adds (y - rate) / n observed to each month
arm_of <- people$arm[match(wide$person_id, people$person_id)]
influence <- matrix(0, nrow(y), ncol(y))
areas <- c()
for (arm in arms) {
  own <- y[arm_of == arm, ]
  seen <- !is.na(own)
  rate <- colMeans(own, na.rm = TRUE)
  part <- sweep(own, 2, rate)
  part[!seen] <- 0
  part <- sweep(part, 2, colSums(seen), "/")
  influence[arm_of == arm, ] <- part
  k <- nrow(own)
  areas[arm] <- sum(rate)
  add("available", "months_in_work", arm, NA, sum(rate), sqrt(sum(rowSums(part)^2) * k / (k - 1)), k)
}
errors <- sapply(answers[(length(answers) - 1):length(answers)], function(a) a$std_error)
add("available", "months_in_work_difference", contrast, NA, areas["ips"] - areas["control"], sqrt(sum(errors^2)), nrow(y))
write_answers(do.call(rbind, answers), "answers_curves.csv")

# ---------------------------------------------------------------- simultaneous bands, with these multipliers

living <- reshape(rows[, c("person_id", "month", "works")], idvar = "person_id", timevar = "month", direction = "wide")
y <- as.matrix(living[, -1])
phi <- matrix(0, nrow(y), ncol(y))
for (arm in arms) {
  own <- y[arm_of == arm, ]
  part <- sweep(own, 2, colMeans(own, na.rm = TRUE))
  part[is.na(own)] <- 0
  phi[arm_of == arm, ] <- sweep(part, 2, colSums(!is.na(own)), "/") * ifelse(arm == "ips", 1, -1)
}
set.seed(7)
draws <- 60
multipliers <- rbind(matrix(sample(c(-1, 1), draws * n, TRUE), draws), matrix(round(rnorm(draws * n), 3), draws))
write.table(multipliers, file.path(folder, "data_multipliers.csv"), sep = ",", row.names = FALSE, col.names = FALSE)
studentised <- sweep(phi, 2, sqrt(colSums(phi^2)), "/")
maxima <- apply(abs(multipliers %*% studentised), 1, max)
write_answers(data.frame(draw = seq_along(maxima), kind = rep(c("rademacher", "gaussian"), each = draws), maximum = maxima),
              "answers_multipliers.csv")

# ---------------------------------------------------------------- intervals from given replicates

set.seed(11)
half <- rows[rows$month == 12 & !is.na(rows$works), ]
half$score <- half$works + rexp(nrow(half))
gap <- function(d, i) {
  s <- d[i, ]
  a <- s$score[s$arm == "ips"]
  b <- s$score[s$arm == "control"]
  c(mean(a) - mean(b), var(a) / length(a) + var(b) / length(b))
}
booted <- boot(half, gap, R = 499, strata = factor(half$arm))
a <- half$arm == "ips"
linear <- ifelse(a, (half$score - mean(half$score[a])) / sum(a), -(half$score - mean(half$score[!a])) / sum(!a))
write_answers(data.frame(replicate = booted$t[, 1], variance = booted$t[, 2]), "data_replicates.csv")
write_answers(data.frame(influence = linear, block = as.integer(a)), "data_influence.csv")
ci <- boot.ci(booted, type = c("norm", "basic", "stud", "perc"))
bca <- boot.ci(booted, type = "bca", L = linear)
limits <- rbind(normal = ci$normal[2:3], basic = ci$basic[4:5], studentised = ci$student[4:5], percentile = ci$percent[4:5], bca = bca$bca[4:5])
write_answers(data.frame(kind = rownames(limits), low = limits[, 1], high = limits[, 2], estimate = booted$t0[1], variance = booted$t0[2]),
              "answers_boot.csv")

# ---------------------------------------------------------------- restricted means of drawn people, and log-rank tests

set.seed(5)
size <- 60
times <- data.frame(arm = rep(arms, each = size / 2), site = sample(1:3, size, TRUE), time = sample(1:9, size, TRUE), event = rbinom(size, 1, 0.7))
times$time[times$event == 0 & runif(size) < 0.5] <- 9
drawn <- rbind(rep(1, size), t(sapply(1:4, function(b) c(rmultinom(1, size / 2, rep(1, size / 2)), rmultinom(1, size / 2, rep(1, size / 2))))))
write_data(cbind(times, setNames(as.data.frame(t(drawn)), paste0("draw", 0:4))), "data_draws.csv")
means <- do.call(rbind, lapply(1:nrow(drawn), function(b) do.call(rbind, lapply(arms, function(arm) {
  own <- times$arm == arm & drawn[b, ] > 0
  fit <- survfit(Surv(time, event) ~ 1, times[own, ], weights = drawn[b, own], robust = FALSE)
  s <- summary(fit, rmean = 8)$table
  data.frame(draw = b - 1L, arm = arm, estimate = s[["rmean"]], std_error = s[["se(rmean)"]])
}))))
write_answers(means, "answers_draws.csv")
tests <- list(none = survdiff(Surv(time, event) ~ arm, times), site = survdiff(Surv(time, event) ~ arm + strata(site), times))
write_answers(data.frame(strata = names(tests), chisq = sapply(tests, function(t) t$chisq)), "answers_logrank_draws.csv")

packages <- c("sandwich", "boot", "survival")
write_data(data.frame(name = c("R", packages), version = c(as.character(getRversion()), sapply(packages, function(p) as.character(packageVersion(p))))),
           "versions_curves.csv")
