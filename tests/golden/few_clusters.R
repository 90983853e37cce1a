# clubSandwich's answers on rates, months in work and trends where clusters are few.
#
#   Rscript few_clusters.R [folder]
#
# reads data_curves.csv beside it and writes few_clusters.csv, with 17 digits, and few_clusters_versions.csv. Needs clubSandwich.

suppressPackageStartupMessages(library(clubSandwich))

arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."
digits <- function(x) ifelse(is.na(x), "", formatC(x, digits = 17, format = "g", width = 1))
rows <- read.csv(file.path(folder, "data_curves.csv"))
# seven regions with people of both arms, and ten wards of uneven size that have one arm each
rows$region <- ceiling(rows$site / 6)
rows$ward <- paste(rows$arm, floor(sqrt(rows$site * 0.6)))

answers <- list()
# The combination l of the coefficients of a linear model. linear_contrast of clubSandwich 0.5.8 stops at models with weights
# (it looks for an object q that is not there), so degrees of freedom come from clubSandwich's own matrices, as its
# documentation of Satterthwaite's formula has it; linear_contrast checks them where it can.
add <- function(case, measure, who, month, fit, cluster, l) {
  v <- vcovCR(fit, cluster = cluster, type = "CR2")
  parts <- clubSandwich:::get_GH(fit, v)
  size <- dim(parts$H)
  h <- lapply(1:3, function(k) sapply(seq_len(size[4]), function(j) drop(l %*% matrix(parts$H[k, , , j], size[2], size[3]))))
  h <- lapply(h, function(x) matrix(x, nrow = size[3]))
  p <- crossprod(h[[3]]) - crossprod(h[[1]], h[[2]]) - crossprod(h[[2]], h[[1]])
  diag(p) <- diag(p) + sapply(parts$G, function(g) sum(drop(l %*% g)^2))
  df <- sum(diag(p))^2 / sum(p^2)
  estimate <- sum(l * coef(fit))
  se <- sqrt(drop(l %*% as.matrix(v) %*% l))
  if (all(fit$weights == 1)) {
    rows <- fit$model
    rows[["(weights)"]] <- NULL
    same <- lm(formula(fit), rows)
    found <- linear_contrast(same, vcovCR(same, cluster = cluster, type = "CR2"), contrasts = matrix(l, nrow = 1))
    stopifnot(abs(found$SE / se - 1) < 1e-9, abs(found$df / df - 1) < 1e-9)
  }
  half <- qt(0.975, df) * se
  answers[[length(answers) + 1]] <<- data.frame(case = case, measure = measure, who = who, month = month, estimate = estimate,
    std_error = se, degrees_of_freedom = df, conf_low = estimate - half, conf_high = estimate + half,
    p_value = 2 * pt(-abs(estimate / se), df))
}

# a mean of one arm, or what the arms differ by
add_mean <- function(case, measure, who, month, y, data, both) {
  data$y <- data[[y]]
  fit <- if (both) lm(y ~ treated, data, weights = w) else lm(y ~ 1, data, weights = w)
  add(case, measure, who, month, fit, data$unit, if (both) c(0, 1) else 1)
}

for (case in c("region", "ward", "copies", "weighted")) {
  d <- rows[rep(seq_len(nrow(rows)), if (case == "copies") rows$copies else 1), ]
  d$w <- if (case == "weighted") d$weight else 1
  d$copy <- ave(seq_len(nrow(d)), d$person_id, d$month, FUN = seq_along)
  d$unit <- if (case == "ward") d$ward else d$region
  arms <- list(control = "control", ips = "ips", "ips - control" = c("control", "ips"))
  for (who in names(arms)) {
    both <- length(arms[[who]]) == 2
    own <- d[d$arm %in% arms[[who]], ]
    own$treated <- as.integer(own$arm == "ips")
    name <- function(measure) if (both) c(rate = "risk_difference", months_in_work = "months_in_work_difference",
      slope = "slope_difference", change = "change_difference")[[measure]] else measure

    seen <- own[!is.na(own$works), ]
    for (m in c(1, 6, 12)) {
      add_mean(case, name("rate"), who, m, "works", seen[seen$month == m, ], both)
    }

    late <- seen[seen$month >= 3, ]
    late$year <- late$month / 12
    fit <- if (both) lm(works ~ year * treated, late, weights = w) else lm(works ~ year, late, weights = w)
    add(case, name("slope"), who, NA, fit, late$unit, if (both) c(0, 0, 0, 1) else c(0, 1))

    key <- c("person_id", "copy", "treated", "unit", "w")
    paired <- merge(late[late$month == 3, c(key, "works")], late[late$month == 12, c(key, "works")], by = key, suffixes = c("", "_end"))
    paired$change <- paired$works_end - paired$works
    add_mean(case, name("change"), who, NA, "change", paired, both)

    # months in work: a mean for every arm and month, added up; after death 0
    after <- own
    after$works[after$dead == 1] <- 0
    after <- after[!is.na(after$works), ]
    after$cell <- factor(paste(after$treated, sprintf("%02d", after$month)))
    fit <- lm(works ~ 0 + cell, after, weights = w)
    sign <- if (both) ifelse(startsWith(levels(after$cell), "1"), 1, -1) else rep(1, nlevels(after$cell))
    add(case, name("months_in_work"), who, NA, fit, after$unit, sign)

    # people observed throughout: their totals, one row a person
    total <- aggregate(cbind(works, seen = 1) ~ person_id + copy + treated + unit + w, after, sum)
    add_mean(paste(case, "exclude"), name("months_in_work"), who, NA, "works", total[total$seen == 12, ], both)
  }
}

answers <- do.call(rbind, answers)
for (column in names(answers)) if (is.double(answers[[column]])) answers[[column]] <- digits(answers[[column]])
write.csv(answers, file.path(folder, "few_clusters.csv"), row.names = FALSE, quote = FALSE, na = "")
write.csv(data.frame(name = c("R", "clubSandwich"), version = c(as.character(getRversion()), as.character(packageVersion("clubSandwich")))),
          file.path(folder, "few_clusters_versions.csv"), row.names = FALSE, quote = FALSE)
